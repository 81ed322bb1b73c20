from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
)
from pants_docker_buildkit.solver.context_memory import (
    Known,
    files_to_bring,
    node_identity,
    read_lying,
    read_memory,
    remember_since,
    write_memory,
)

NOW = 1_700_000_000
SECOND = 10**9


def test_what_is_remembered_is_read_again(tmp_path: Path) -> None:
    memory = {"a/ü": Known(FILE, "1", NOW, 5, 6), "a": Known(DIRECTORY, "", 0)}
    write_memory(tmp_path / "memory", memory)
    assert read_memory(tmp_path / "memory", NOW) == memory


def _damaged_columns() -> Iterator[list[list[Any]]]:
    """What two paths are remembered as, with one value that cannot be, or one too few or many."""
    for column, damage in [
        *((0, 1), (1, None), (1, ["x"]), (2, 1), (3, "z"), (3, 1.5), (3, -1), (3, NOW * 10**6)),
        *((4, None), (4, True), (5, "z"), (5, 1e9)),
    ]:
        columns: list[list[Any]] = [["a", "b"], [FILE] * 2, ["x"] * 2, [NOW] * 2, [1] * 2, [2] * 2]
        yield [*columns, [3, 3]]
        yield [each[:1] if number == column else each for number, each in enumerate(columns)]
        columns[column][1] = damage
        yield columns


@pytest.mark.parametrize(
    "damage",
    [
        *("", "[", "[]", "null", '{"a": ["x", "y", 1, 2, 3]}', '[["a"]]', "[[], [], [], [], []]"),
        *map(json.dumps, _damaged_columns()),
    ],
)
def test_a_damaged_memory_is_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "memory").write_text(damage)
    assert read_memory(tmp_path / "memory", NOW) == {}


def test_a_memory_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_memory(tmp_path / "memory", NOW) == {}


@pytest.mark.parametrize(
    ("known", "since"),
    [
        (None, NOW),
        (Known(FILE, "a", 5), NOW),
        (Known(FILE, "b", 5), NOW),
        (Known(FILE, "b", NOW + 100), NOW + 100),
    ],
    ids=["new", "the same", "another", "the clock went back"],
)
def test_what_comes_to_a_path_has_a_time_of_its_own_there(known: Known | None, since: int) -> None:
    assert remember_since(known, ContextPath(FILE, "a", 1), NOW) == Known(FILE, "a", since)


def test_a_time_has_its_second_and_a_fraction_of_its_own() -> None:
    times = [Known(FILE, f"{number}", NOW).time for number in range(100)]
    assert {time // SECOND for time in times} == {NOW}
    assert len(set(times)) == 100


def test_files_are_brought_that_are_not_remembered_to_be_there(tmp_path: Path) -> None:
    file = ContextPath(FILE, "1" * 64, 5)
    program = ContextPath(PROGRAM, "1" * 64, 5)
    contents = {
        "here": file,
        "new": file,
        "changed": file,
        "executable now": program,
        "gone": file,
        "link": ContextPath(LINK, "here"),
        "directory": ContextPath(DIRECTORY),
    }
    memory = {
        "here": Known(FILE, file.value, NOW, 1, 1),
        "changed": Known(FILE, "2", NOW, 1, 1),
        "executable now": Known(FILE, file.value, NOW, 1, 1),
        "gone": Known(FILE, file.value, NOW),
        "no more": Known(FILE, "3", NOW, 1, 1),
    }
    write_memory(tmp_path / "memory", memory)
    lying = read_lying(tmp_path / "memory", NOW)
    assert files_to_bring(contents, lying) == ["new", "changed", "executable now", "gone"]
    # What nobody remembers is brought.
    lying = read_lying(tmp_path / "nothing", NOW)
    assert files_to_bring(contents, lying) == ["here", "new", "changed", "executable now", "gone"]


def test_a_machine_keeps_its_identity(tmp_path: Path) -> None:
    identity = node_identity(tmp_path / "memory")
    assert len(bytes.fromhex(identity)) == 8
    assert node_identity(tmp_path / "memory") == identity
    assert node_identity(tmp_path / "other") != identity


def test_a_machine_that_can_keep_nothing_is_another_one_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert node_identity(tmp_path / "file") != node_identity(tmp_path / "file")
