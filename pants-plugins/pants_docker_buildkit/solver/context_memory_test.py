from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    context_row,
)
from pants_docker_buildkit.solver.context_memory import (
    Known,
    Status,
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
    memory = {
        "a/ü \n": Known(context_row("a/ü \n", FILE, "1", 3), NOW, Status(33188, 3, 5, 6)),
        "a": Known(context_row("a", DIRECTORY), 0),
        "a/\udcff": Known(context_row("a/\udcff", LINK, "\udcfe"), 1, Status(1, 2, 3, 4)),
    }
    write_memory(tmp_path / "memory", memory)
    assert read_memory(tmp_path / "memory", NOW) == memory


def test_a_memory_of_nothing_is_read_again(tmp_path: Path) -> None:
    write_memory(tmp_path / "memory", {})
    assert read_memory(tmp_path / "memory", NOW) == {}
    assert read_lying(tmp_path / "memory", NOW) == set()


def _numbers(*since: int) -> bytes:
    return array("q", (*since, *range(4 * len(since)))).tobytes()


def _memory(count: int, *since: int, rows: bytes = b"a//file:1:x\0b//file:1:x") -> bytes:
    return b"%d %d\n%b%b" % (count, len(rows), _numbers(*since), rows)


def _damages() -> Iterator[bytes]:
    yield from (b"", b"x", b"\n", b"0\n", b"0 0\nx", b"-1 0\n", b"1 0\n", b"99 0\n", b"1 x\n")
    yield b"[[], [], [], [], []]"
    yield from (
        _memory(2, NOW, NOW)[:-1],
        _memory(2, NOW, NOW) + b"x",
        _memory(2, NOW, NOW, rows=b""),
    )
    yield from (_memory(1, NOW, NOW), _memory(3, NOW, NOW), _memory(1, NOW))
    yield from (_memory(2, NOW, -1), _memory(2, NOW, NOW * 2))


@pytest.mark.parametrize("damage", list(_damages()))
def test_a_damaged_memory_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "memory").write_bytes(damage)
    assert read_memory(tmp_path / "memory", NOW) == {}
    assert read_lying(tmp_path / "memory", NOW) == set()


def test_a_memory_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_memory(tmp_path / "memory", NOW) == {}


@pytest.mark.parametrize(
    ("known", "since"),
    [
        (None, NOW),
        (Known("a//file:1:a", 5), NOW),
        (Known("a//file:1:b", 5), NOW),
        (Known("a//file:1:b", NOW + 100), NOW + 100),
    ],
    ids=["new", "the same", "another", "the clock went back"],
)
def test_what_comes_to_a_path_has_a_time_of_its_own_there(known: Known | None, since: int) -> None:
    assert remember_since(known, "a//file:1:a", NOW) == Known("a//file:1:a", since)


def test_a_time_has_its_second_and_a_fraction_of_its_own() -> None:
    times = [Known(context_row("a", FILE, f"{each}"), NOW).time for each in range(100)]
    assert {time // SECOND for time in times} == {NOW}
    assert len(set(times)) == 100


def test_files_are_brought_that_are_not_remembered_to_be_there(tmp_path: Path) -> None:
    def row(path: str, kind: str = FILE, value: str = "1" * 64) -> str:
        return context_row(path, kind, value, 5)

    rows = [
        *map(row, ("here", "new", "changed")),
        row("executable now", PROGRAM),
        *(row("gone"), context_row("link", LINK, "here"), context_row("directory", DIRECTORY)),
    ]
    is_right = Status(1, 1, 1, 1)
    memory = {
        "here": Known(row("here"), NOW, is_right),
        "changed": Known(row("changed", value="2"), NOW, is_right),
        "executable now": Known(row("executable now"), NOW, is_right),
        "gone": Known(row("gone"), NOW),
        "no more": Known(row("no more"), NOW, is_right),
    }
    write_memory(tmp_path / "memory", memory)
    lying = read_lying(tmp_path / "memory", NOW)
    assert list(files_to_bring(rows, lying)) == ["new", "changed", "executable now", "gone"]
    # What nobody remembers is brought.
    found = files_to_bring(rows, read_lying(tmp_path / "nothing", NOW))
    assert list(found) == ["here", "new", "changed", "executable now", "gone"]
    assert found["executable now"] == ContextPath(PROGRAM, "1" * 64, 5)


def test_a_machine_keeps_its_identity(tmp_path: Path) -> None:
    identity = node_identity(tmp_path / "memory")
    assert len(bytes.fromhex(identity)) == 8
    assert node_identity(tmp_path / "memory") == identity
    assert node_identity(tmp_path / "other") != identity


@pytest.mark.parametrize("half", [b"", b"0123", b"../x\n\0", b"\xff" * 16])
def test_an_identity_that_is_none_is_made_again(tmp_path: Path, half: bytes) -> None:
    (tmp_path / "node").write_bytes(half)
    identity = node_identity(tmp_path)
    assert len(bytes.fromhex(identity)) == 8
    assert node_identity(tmp_path) == identity


def test_machines_that_share_a_directory_agree_on_an_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, others = os.link, []

    def link_and_meet_another(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        link(source, target)
        # In another container, it may have the same process ID.
        others.append(node_identity(tmp_path))

    monkeypatch.setattr(os, "link", link_and_meet_another)
    assert [node_identity(tmp_path)] == others
    assert [each.name for each in tmp_path.iterdir()] == ["node"]


def test_a_machine_that_can_keep_nothing_is_another_one_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert node_identity(tmp_path / "file") != node_identity(tmp_path / "file")
