from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.plans.build_history import (
    History,
    PastBuild,
    history_path,
    read_past_build,
    read_past_inputs,
    write_past_build,
)
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import reason_line
from pants_docker_buildkit.solver.definition import BuildDefinition

DEFINITION = BuildDefinition("d" * 64, "blake3:c", ("linux/amd64",), "registry")
INPUTS = BuildInputs.create("old", DEFINITION, b"FROM scratch\n")


def test_a_build_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = history_path(tmp_path, "/checkout", "src/app:image")
    write_past_build(path, INPUTS, 1.5)
    assert read_past_build(path) == PastBuild("old", 1.5)
    assert read_past_inputs(path) == INPUTS


def test_only_the_user_can_read_the_history(tmp_path: Path) -> None:
    path = history_path(tmp_path, "/checkout", "src/app:image")
    write_past_build(path, INPUTS, None)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_target_of_each_checkout_has_its_own_history(tmp_path: Path) -> None:
    paths = {history_path(tmp_path, root, name) for root in ("/a", "/a/b") for name in ("b", "c")}
    assert len(paths) == 4


def test_a_history_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where the directory should be")
    write_past_build(history_path(tmp_path, "/a", "b"), INPUTS, None)
    assert read_past_build(history_path(tmp_path, "/a", "b")) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"build_digest": "x"}', "null", "\0"])
def test_a_damaged_history_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(f"{text}\n{text}\n")
    assert read_past_build(path) is None
    assert read_past_inputs(path) is None


@pytest.mark.parametrize("member", ["build_digest", "members", "lines", "files"])
@pytest.mark.parametrize("value", [None, 1, [1], ["ab"], [[]], [{}]])
def test_inputs_that_are_none_are_not_taken_for_some(
    tmp_path: Path, member: str, value: object
) -> None:
    path = tmp_path / "history.json"
    document = {**INPUTS.to_document(), member: value}
    path.write_text(f"\n{json.dumps(document)}\n")
    found = read_past_inputs(path)
    assert found is None or member in ("lines", "members", "files")


def test_a_difference_is_found_out_once(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    write_past_build(path, INPUTS, None)
    history = History(path)
    assert history.past == PastBuild("old", None)
    asked: list[str] = []

    def explain(network: str) -> str:
        definition = replace(DEFINITION, network=network)
        now = BuildInputs.create(network, definition)

        def describe() -> BuildInputs:
            asked.append(network)
            return now

        found = history.explain(now.build_digest, describe)
        assert found.inputs == now
        return reason_line(found.reasons)

    assert explain("none") == explain("none") == "build_network changed"
    assert asked == ["none"]
    explain("host")
    # The last one is remembered, and no other.
    explain("none")
    assert asked == ["none", "host", "none"]
