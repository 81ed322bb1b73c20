"""The page of what buildx picks up by itself says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.environment import PASSED, PROXY_VARIABLES, REFUSED

PAGE = (Path(__file__).parents[2] / "docs" / "picked-up.md").read_text()
_VARIABLE = re.compile(r"`([A-Z][A-Z0-9_]+)`")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def variables(table: str) -> set[str]:
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    return {name for row in rows for name in _VARIABLE.findall(row)}


def test_the_variables_that_buildx_gets_are_listed() -> None:
    lower_case = {name for name in PROXY_VARIABLES if name.islower()}
    assert variables(section("Variables that buildx gets")) == set(PASSED) - lower_case


def test_the_variables_that_may_not_be_added_are_listed() -> None:
    refused, _, others = section("Variables that are shut out").partition("\nThese cannot change")
    assert variables(refused) == set(REFUSED)
    assert not variables(others) & {*REFUSED, *PASSED}


@pytest.mark.parametrize("heading", ["Files of the build", "Files of the user"])
def test_each_file_has_a_reader_and_a_verdict(heading: str) -> None:
    rows = [line.split("|") for line in section(heading).splitlines() if line.startswith("| `")]
    assert rows
    for row in rows:
        assert row[2].strip()
        assert re.match(r" (in the key|shut out|harmless|refused)\b", row[3])
