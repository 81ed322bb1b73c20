from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.context_times import node_identity, stamp_context

NOW = 1_700_000_000
SECOND = 10**9


class Context:
    """A context that is laid out anew for each build, as a sandbox is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.memory = directory / "memory" / "image.json"
        self._builds = 0

    def build(
        self, files: dict[str, str], now: int = NOW, **links: str
    ) -> dict[str, os.stat_result]:
        """What a builder sees of each path."""
        self._builds += 1
        root = self._directory / str(self._builds)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        for path, target in links.items():
            (root / path).symlink_to(target)
        hashes = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        stamp_context(root, hashes, self.memory, now)
        return {str(path.relative_to(root)): path.lstat() for path in sorted(root.rglob("*"))}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path)


def test_what_has_not_changed_has_the_same_time(context: Context) -> None:
    files = {"a": "1", "d/b": "2"}
    first, second = context.build(files, link="a"), context.build(files, NOW + 100, link="a")
    assert {path: each.st_mtime_ns for path, each in first.items()} == {
        path: each.st_mtime_ns for path, each in second.items()
    }
    assert {each.st_mtime_ns // SECOND for each in first.values()} == {NOW}


def test_another_content_of_the_same_size_has_another_time_within_the_same_second(
    context: Context,
) -> None:
    first, second = context.build({"a": "AAAA"})["a"], context.build({"a": "BBBB"})["a"]
    assert first.st_mtime_ns // SECOND == second.st_mtime_ns // SECOND == NOW
    assert first.st_mtime_ns != second.st_mtime_ns


def test_a_change_is_as_old_as_the_build_that_noticed_it(context: Context) -> None:
    context.build({"a": "1", "b": "1"})
    found = context.build({"a": "2", "b": "1"}, NOW + 60)
    assert found["a"].st_mtime_ns // SECOND == NOW + 60
    assert found["b"].st_mtime_ns // SECOND == NOW


def test_a_content_that_returns_is_a_change(context: Context) -> None:
    context.build({"a": "1"})
    context.build({"a": "2"}, NOW + 60)
    assert context.build({"a": "1"}, NOW + 120)["a"].st_mtime_ns // SECOND == NOW + 120


def test_a_file_that_was_away_is_new(context: Context) -> None:
    context.build({"a": "1", "b": "1"})
    context.build({"b": "1"}, NOW + 60)
    assert context.build({"a": "1", "b": "1"}, NOW + 120)["a"].st_mtime_ns // SECOND == NOW + 120


def test_a_clock_that_goes_back_takes_no_file_along(context: Context) -> None:
    first = context.build({"a": "1"})["a"]
    second = context.build({"a": "2"}, NOW - 1000)["a"]
    assert second.st_mtime_ns // SECOND == NOW
    assert second.st_mtime_ns != first.st_mtime_ns


def test_a_link_to_something_else_has_another_time(context: Context) -> None:
    files = {"a": "1", "b": "1"}
    first = context.build(files, link="a")["link"]
    second = context.build(files, link="b")["link"]
    assert first.st_mtime_ns != second.st_mtime_ns


def test_a_directory_that_becomes_a_file_is_new(context: Context) -> None:
    context.build({"a/b": "1"})
    assert context.build({"a": "1"}, NOW + 60)["a"].st_mtime_ns // SECOND == NOW + 60


def test_two_files_that_swap_their_contents_both_change(context: Context) -> None:
    first = context.build({"a": "1", "b": "2"})
    second = context.build({"a": "2", "b": "1"})
    assert all(first[path].st_mtime_ns != second[path].st_mtime_ns for path in ("a", "b"))


def test_what_nobody_hashed_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    times = []
    for text in ("1", "2"):
        (root / "a").write_text(text)
        stamp_context(root, {}, tmp_path / "memory", NOW)
        times.append((root / "a").stat().st_mtime_ns)
    assert times[0] != times[1]


@pytest.mark.parametrize(
    "damage",
    [
        *("", "[", "[]", "null", '{"a": 1}', '{"a": ["x"]}', '{"a": ["x", -1]}'),
        *('{"a": ["x", 1e99]}', json.dumps({"a": ["x", NOW * 10**6]})),
    ],
)
def test_a_damaged_memory_gives_the_present_time(context: Context, damage: str) -> None:
    context.build({"a": "1"})
    context.memory.write_text(damage)
    assert context.build({"a": "1"}, NOW + 60)["a"].st_mtime_ns // SECOND == NOW + 60


def test_no_time_is_set_that_cannot_be_remembered(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("1")
    before = (root / "a").stat().st_mtime_ns
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        stamp_context(root, {}, tmp_path / "file" / "memory", NOW)
    assert (root / "a").stat().st_mtime_ns == before


def test_random_edits_never_look_like_what_a_builder_has(context: Context) -> None:
    """Two builds of one path that agree in size and time agree in content; equal ones in time."""
    edits = random.Random(20261126)
    seen: dict[tuple[str, int, int], str] = {}
    files: dict[str, str] = {}
    last: dict[str, tuple[str, int]] = {}
    for step in range(500):
        files[f"f{edits.randrange(8)}"] = edits.choice(["AAAA", "BBBB", "CCCC", "DD", ""])
        if len(files) > 6:
            files.pop(edits.choice(sorted(files)))
        found = context.build(files, NOW + step // 5)
        for path, text in files.items():
            time = found[path].st_mtime_ns
            assert seen.setdefault((path, len(text), time), text) == text
            if path in last:
                assert (last[path][0] == text) == (last[path][1] == time)
                assert time // SECOND >= last[path][1] // SECOND
        last = {path: (text, found[path].st_mtime_ns) for path, text in files.items()}


def test_a_machine_keeps_its_identity(tmp_path: Path) -> None:
    identity = node_identity(tmp_path / "memory")
    assert len(bytes.fromhex(identity)) == 8
    assert node_identity(tmp_path / "memory") == identity
    assert node_identity(tmp_path / "other") != identity


def test_a_machine_that_can_keep_nothing_is_another_one_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert node_identity(tmp_path / "file") != node_identity(tmp_path / "file")
