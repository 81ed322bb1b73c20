from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pants_docker_buildkit.image_tests.junit import junit_xml
from pants_docker_buildkit.image_tests.outcome import (
    Outcome,
    TestRun,
    describe_runs,
    parse_outcomes,
    render_outcomes,
)

OUTCOMES = (
    Outcome("command", "good"),
    Outcome("command", 'b<"ad\x00\ud83d', ("one\ntwo", "three"), "out\x1b[0m\n", "☃"),
)


def test_outcomes_are_what_they_were_after_a_cache() -> None:
    assert parse_outcomes(render_outcomes(OUTCOMES, 1.5).encode(), "linux/arm64") == TestRun(
        "linux/arm64", OUTCOMES, 1.5
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"outcomes": [{"x": 1}], "seconds": 1}', b"[" * 100_000 + b"]" * 100_000],
)
def test_what_a_cache_made_up_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_outcomes(text, "linux/amd64")


def test_a_report_is_xml_whatever_a_program_writes() -> None:
    runs = [TestRun("linux/amd64", OUTCOMES, 1.5), TestRun("linux/arm64", problem="no builder")]
    first, second = ET.fromstring(junit_xml("a:b", runs))
    assert first.attrib["failures"] == "1"
    assert second.attrib["errors"] == "1"
    _, bad = first
    failure = bad.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "one"
    assert failure.text == "one\ntwo\nthree"


def test_each_test_has_a_line_and_what_is_wrong_below() -> None:
    runs = [TestRun("linux/amd64", OUTCOMES[:1]), TestRun("linux/arm64", problem="lost\nagain")]
    assert describe_runs(runs) == (
        "linux/amd64\n  ✓ command: good\nlinux/arm64\n  ✕ lost\n    again\n"
    )
