from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pants_docker_buildkit.util_rules.file_watch import FileWatch


@pytest.fixture
def watch() -> FileWatch:
    return FileWatch("test")


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_file_that_appears_is_told_once(watch: FileWatch, tmp_path: Path) -> None:
    seen: list[Path] = []
    directory = watch.call_when("a", tmp_path, seen.append)
    (directory / "other").touch()
    (directory / "a").touch()
    assert becomes_true(lambda: bool(seen))
    time.sleep(0.1)
    assert seen == [directory / "a"]


def test_all_files_are_watched_in_one_directory(watch: FileWatch, tmp_path: Path) -> None:
    seen: list[Path] = []
    directories = {watch.call_when(name, tmp_path, seen.append) for name in "abc"}
    (directory,) = directories
    for name in "abc":
        (directory / name).touch()
    assert becomes_true(lambda: {path.name for path in seen} == {"a", "b", "c"})


def test_nothing_is_made_before_there_is_something_to_watch_for(tmp_path: Path) -> None:
    FileWatch("test")
    assert list(tmp_path.iterdir()) == []


def test_the_directory_of_an_earlier_session_is_never_used_again(tmp_path: Path) -> None:
    first = FileWatch("test").call_when("a", tmp_path, lambda _: None)
    shutil.rmtree(first)
    second = FileWatch("test").call_when("a", tmp_path, lambda _: None)
    assert first != second
    assert becomes_true(lambda: first.name not in [each.name for each in threading.enumerate()])
