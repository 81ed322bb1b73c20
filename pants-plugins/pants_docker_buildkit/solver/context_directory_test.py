from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import random
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.session.context_files import DIRECTORY, FILE, LINK, PROGRAM, ContextPath
from pants_docker_buildkit.session.directory import UnusableDirectoryError
from pants_docker_buildkit.session.testing.context_rows import to_rows
from pants_docker_buildkit.solver.context_directory import (
    UNUSED_SECONDS,
    ContextDirectory,
    open_contexts,
    remove_unused_contexts,
)
from pants_docker_buildkit.solver.context_memory import files_to_bring, memory_path, read_lying
from pants_docker_buildkit.testing.processes import SOON

NOW = 1_700_000_000
SECOND = 10**9
NAME = "context-1"
A_DIRECTORY = ContextPath(DIRECTORY)


def never() -> None:
    raise AssertionError("nobody else is here")


class Image:
    """The contexts of an image. A dictionary has what its files say; `*` is a program."""

    def __init__(self, directory: Path) -> None:
        self.contexts = directory / "contexts"
        self.path = self.contexts / NAME
        self._deliveries = directory / "deliveries"
        self._number = 0
        self.brought: list[str] = []

    def build(
        self, files: Mapping[str, str], now: int = NOW, **links: str
    ) -> dict[str, os.stat_result]:
        """What a builder sees of each path, after what the rules do, too."""
        texts = {path.rstrip("*"): text for path, text in files.items()}
        contents = contents_of(files, links)
        for _ in range(2):
            self._bring(contents, texts, now)
            with self.open(now=now) as directory:
                if directory.bring_up_to_date(to_rows(contents), self._deliveries):
                    return self._check(contents, texts)
        raise AssertionError("not up to date")

    @contextmanager
    def open(
        self, say_waiting: Callable[[], None] = never, now: int = NOW
    ) -> Iterator[ContextDirectory]:
        """The directory, in a second of which tests decide."""
        with open_contexts(self.contexts, NAME, say_waiting) as directory:
            yield replace(directory, now=now)

    def _bring(
        self, contents: Mapping[str, ContextPath], texts: Mapping[str, str], now: int
    ) -> None:
        self._number += 1
        lying = read_lying(memory_path(self.contexts, NAME), now)
        self.brought = list(files_to_bring(to_rows(contents), lying))
        for path in self.brought:
            place = self._deliveries / str(self._number) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(texts[path])
            place.chmod(0o400)

    def _check(
        self, contents: Mapping[str, ContextPath], texts: Mapping[str, str]
    ) -> dict[str, os.stat_result]:
        """Exactly what the key says is there."""
        found = {str(each.relative_to(self.path)): each for each in self.path.rglob("*")}
        assert found.keys() == contents.keys()
        for path, wanted in contents.items():
            mode = found[path].lstat().st_mode
            if wanted.kind == LINK:
                assert os.readlink(found[path]) == wanted.value
            elif wanted.kind == DIRECTORY:
                assert mode == stat.S_IFDIR | 0o755
            else:
                assert found[path].read_text() == texts[path]
                is_program = wanted.kind == PROGRAM
                assert mode == stat.S_IFREG | (0o755 if is_program else 0o644)
        return {path: each.lstat() for path, each in found.items()}


def contents_of(files: Mapping[str, str], links: Mapping[str, str]) -> dict[str, ContextPath]:
    contents = {path: ContextPath(LINK, target) for path, target in links.items()}
    for name, text in files.items():
        kind = PROGRAM if name.endswith("*") else FILE
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        contents[name.rstrip("*")] = ContextPath(kind, sha256, len(text))
    for path in tuple(contents):
        for parent in list(Path(path).parents)[:-1]:
            contents[str(parent)] = A_DIRECTORY
    return contents


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def test_what_has_not_changed_stays_as_it_is(image: Image) -> None:
    files = {"a": "1", "d/b*": "2"}
    first = image.build(files, link="a")
    assert image.brought == ["a", "d/b"]
    second = image.build(files, NOW + 100, link="a")
    assert image.brought == []
    for path, each in first.items():
        assert (each.st_mtime_ns, each.st_ino) == (second[path].st_mtime_ns, second[path].st_ino)
        assert each.st_mtime_ns // SECOND == NOW


def test_only_what_changed_is_brought(image: Image) -> None:
    image.build({"a": "1", "b": "1", "d/c": "1"}, link="a")
    found = image.build({"a": "2", "b": "1", "d/c": "1"}, NOW + 60, link="b")
    assert image.brought == ["a"]
    seconds = {path: each.st_mtime_ns // SECOND - NOW for path, each in found.items()}
    assert seconds == {"a": 60, "b": 0, "d": 0, "d/c": 0, "link": 60}


def test_another_content_of_the_same_size_has_another_time_within_the_same_second(
    image: Image,
) -> None:
    first, second = image.build({"a": "AAAA"})["a"], image.build({"a": "BBBB"})["a"]
    assert first.st_mtime_ns // SECOND == second.st_mtime_ns // SECOND == NOW
    assert first.st_mtime_ns != second.st_mtime_ns


def test_a_content_that_returns_is_a_change(image: Image) -> None:
    image.build({"a": "1"})
    image.build({"a": "2"}, NOW + 60)
    assert image.build({"a": "1"}, NOW + 120)["a"].st_mtime_ns // SECOND == NOW + 120


def test_a_file_that_was_away_is_new(image: Image) -> None:
    image.build({"a": "1", "b": "1"})
    image.build({"b": "1"}, NOW + 60)
    assert image.build({"a": "1", "b": "1"}, NOW + 120)["a"].st_mtime_ns // SECOND == NOW + 120


def test_a_clock_that_goes_back_takes_no_file_along(image: Image) -> None:
    first = image.build({"a": "1"})["a"]
    second = image.build({"a": "2"}, NOW - 1000)["a"]
    assert second.st_mtime_ns // SECOND == NOW
    assert second.st_mtime_ns != first.st_mtime_ns


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": "1"}, {"a*": "1"}),
        ({"a*": "1"}, {"a": "1"}),
        ({"a/b": "1"}, {"a": "1"}),
        ({"a": "1"}, {"a/b": "1"}),
        ({"a/b/c": "1", "x": ""}, {"x": ""}),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
        ({"a/b": "1"}, {"a /b": "1"}),
        ({"a": ""}, {}),
        ({}, {"a": ""}),
    ],
)
def test_whatever_changes_is_there_afterwards_and_nothing_else(
    image: Image, before: dict[str, str], after: dict[str, str]
) -> None:
    first, second = image.build(before), image.build(after, NOW + 60)
    for path in first.keys() & second.keys():
        if path not in before.keys() & after.keys() or before[path] != after[path]:
            assert first[path].st_mtime_ns != second[path].st_mtime_ns


def test_links_that_take_the_place_of_something(image: Image) -> None:
    image.build({"a/b": "1", "c": "1"})
    image.build({"b": "1"}, a="b", c="nowhere")
    image.build({"a/b": "1"}, c="a")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "another content": lambda path: (path / "d/a").write_text("X"),
    "another content of the same time": lambda path: rewrite(path / "d/a"),
    "a mode": lambda path: (path / "d/a").chmod(0o755),
    "a mode of a directory": lambda path: (path / "d").chmod(0o700),
    "no file": lambda path: (path / "d/a").unlink(),
    "no directory": lambda path: shutil.rmtree(path / "d"),
    "nothing": lambda path: shutil.rmtree(path),
    "one more": lambda path: (path / "d/.hidden").touch(),
    "one more directory": lambda path: (path / "e/f").mkdir(parents=True),
    "one more link": lambda path: (path / "e").symlink_to("/"),
    "another link": lambda path: relink(path / "link", "d"),
    "a link in place of a file": lambda path: relink(path / "d/a", "/etc/passwd"),
    "a link in place of a directory": lambda path: relink_directory(path / "d"),
    "a file in place of a directory": lambda path: replace_directory(path / "d"),
    "a pipe in place of a file": lambda path: replace_by_pipe(path / "d/a"),
    "a time": lambda path: os.utime(path / "d/a"),
    "a time of a directory": lambda path: os.utime(path / "d"),
}


def rewrite(path: Path) -> None:
    status = path.stat()
    path.write_text("X")
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


def replace_directory(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def relink_directory(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_somebody_changed_there_is_mended_before_a_build(image: Image, damage: str) -> None:
    files = {"d/a": "1", "b": "2"}
    before = image.build(files, link="b")
    DAMAGES[damage](image.path)
    after = image.build(files, NOW + 60, link="b")
    mended = set(image.brought)
    for path in files:
        later = 60 * SECOND if path in mended else 0
        assert after[path].st_mtime_ns - before[path].st_mtime_ns == later


def test_contexts_that_were_restored_have_the_present_time(image: Image, tmp_path: Path) -> None:
    files = {"d/a": "1", "b": "2"}
    image.build(files)
    # As a cache of a CI service does: with the times of files, which are those of changes never.
    shutil.copytree(image.contexts, tmp_path / "kept")
    image.build({"d/a": "3", "b": "2"}, NOW + 60)
    shutil.rmtree(image.contexts)
    shutil.copytree(tmp_path / "kept", image.contexts)
    found = image.build(files, NOW + 120)
    assert {found[path].st_mtime_ns // SECOND for path in files} == {NOW + 120}


def test_what_is_not_delivered_is_said_to_be_missing(image: Image, tmp_path: Path) -> None:
    contents = contents_of({"a": "1", "b": "2"}, {})
    image.build({"a": "1"})
    with image.open() as directory:
        assert not directory.bring_up_to_date(to_rows(contents), tmp_path / "nothing")
    memory = read_lying(memory_path(image.contexts, NAME), NOW)
    assert list(files_to_bring(to_rows(contents), memory)) == ["b"]


def test_a_delivery_of_another_size_is_not_taken(image: Image, tmp_path: Path) -> None:
    (tmp_path / "half" / "1").mkdir(parents=True)
    (tmp_path / "half" / "1" / "a").write_text("1")
    with image.open() as directory:
        contents = contents_of({"a": "12"}, {})
        assert not directory.bring_up_to_date(to_rows(contents), tmp_path / "half")


def test_a_file_system_that_gives_modes_of_its_own_is_refused(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    chmod = Path.chmod
    monkeypatch.setattr(Path, "chmod", lambda path, _: chmod(path, 0o755))
    with pytest.raises(UnusableDirectoryError) as raised:
        image.build({"program*": "1", "text": "12"})
    assert raised.value.path == image.path / "text"
    assert raised.value.finding == "it did not stay as it was made (-rwxr-xr-x, of 2 bytes)"


@pytest.mark.parametrize("other", ["a", "a/b"])
def test_a_file_system_on_which_two_paths_are_one_is_refused(
    image: Image, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    # As where case is not told apart, which takes a file system of its own.
    lexists = os.path.lexists
    monkeypatch.setattr(
        os.path, "lexists", lambda path: lexists(path) or lexists(str(path).replace("/a", "/A"))
    )
    files = {"A": "1", other: "2"} if other == "a" else {"A/b": "1", other: "2"}
    with pytest.raises(UnusableDirectoryError, match="another path of the context") as raised:
        image.build(files)
    assert raised.value.path == image.path / "a"


def test_a_delivery_that_is_somebody_elses_file_too_is_copied(image: Image, tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    stored.write_text("1")
    stored.chmod(0o400)
    before = stored.stat()
    (tmp_path / "linked" / "1").mkdir(parents=True)
    os.link(stored, tmp_path / "linked" / "1" / "a")
    contents = to_rows(contents_of({"a*": "1"}, {}))
    with image.open() as directory:
        assert directory.bring_up_to_date(contents, tmp_path / "linked")
    after = stored.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert not (image.path / "a").samefile(stored)


def test_contexts_may_lie_on_a_file_system_of_their_own(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, place: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(place))

    monkeypatch.setattr("pants_docker_buildkit.solver.context_directory.os.rename", refuse)
    files = {"a*": "1", "d/b": "2"}
    before = image.build(files)
    after = image.build({**files, "d/b": "3"}, NOW + 60)
    assert image.brought == ["d/b"]
    assert after["a"].st_mtime_ns == before["a"].st_mtime_ns


def test_a_change_that_was_killed_is_not_taken_for_done(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"d{number % 3}/{number}": str(number) for number in range(30)}
    image.build(files)
    changed = {path: f"{text}!" for path, text in files.items()}
    real, left = os.rename, [12]

    def rename(source: Path, target: Path) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError("killed")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="killed"):
        image.build(changed, NOW + 60)
    # Back to what is remembered, and on to what was begun.
    image.build(files, NOW + 120)
    image.build(changed, NOW + 180)


@pytest.mark.parametrize("damage", ["", "[", "{}"])
def test_a_lost_memory_has_all_brought_with_the_present_time(image: Image, damage: str) -> None:
    image.build({"a": "1"})
    memory_path(image.contexts, NAME).write_text(damage)
    found = image.build({"a": "1"}, NOW + 60)
    assert image.brought == ["a"]
    assert found["a"].st_mtime_ns // SECOND == NOW + 60


def test_nobody_builds_where_others_may_write(image: Image) -> None:
    image.build({"a": "1"})
    for path in (image.path, image.contexts):
        path.chmod(0o777)
        with pytest.raises(UnusableDirectoryError, match="others may write there") as raised:
            image.build({"a": "1"})
        assert "choose another `[GLOBAL].named_caches_dir`" in str(raised.value)
        path.chmod(0o700)
    image.path.rename(image.path.with_name("elsewhere"))
    image.path.symlink_to("elsewhere")
    with pytest.raises(UnusableDirectoryError, match="it is a link"):
        image.build({"a": "1"})
    image.contexts.rename(image.contexts.with_name("elsewhere"))
    image.contexts.write_text("")
    with pytest.raises(UnusableDirectoryError, match="it is no directory"):
        image.build({"a": "1"})


def test_who_builds_the_same_image_waits_for_the_other(image: Image) -> None:
    waiting, order = threading.Event(), []

    def build() -> None:
        with image.open(waiting.set):
            order.append("second")

    with image.open():
        other = threading.Thread(target=build)
        other.start()
        assert waiting.wait(SOON)
        order.append("first")
    other.join(SOON)
    assert order == ["first", "second"]


def test_contexts_stay_locked_while_a_program_runs_that_got_the_lock(image: Image) -> None:
    with image.open() as directory:
        sleep = subprocess.Popen(["sleep", "600"], pass_fds=(directory.lock,))
    descriptor = os.open(image.contexts / f"{NAME}.lock", os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
        sleep.kill()
        sleep.wait()


def test_contexts_that_nobody_needs_are_removed_once_a_day(image: Image) -> None:
    image.build({"a": "1"})
    lock = image.contexts / f"{NAME}.lock"
    long_ago = time.time() - UNUSED_SECONDS - 60
    remove_unused_contexts(image.contexts)
    assert image.path.exists()
    os.utime(lock, (long_ago, long_ago))
    remove_unused_contexts(image.contexts)
    assert image.path.exists()
    yesterday = time.time() - 25 * 3600
    os.utime(image.contexts / "cleaned", (yesterday, yesterday))
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_unused_contexts(image.contexts)
    assert image.path.exists()
    next_year = time.time() + 365 * 24 * 3600
    os.utime(image.contexts / "cleaned", (next_year, next_year))
    remove_unused_contexts(image.contexts)
    assert not image.path.exists()
    image.build({"a": "1"})


def test_what_changes_after_a_build_is_younger_than_all_that_it_made(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(begins: float, ends: float) -> int:
        monkeypatch.setattr(time, "time", lambda: begins)
        with open_contexts(image.contexts, NAME, never) as directory:
            monkeypatch.setattr(time, "time", lambda: ends)
            return directory.now

    assert build(NOW + 0.1, NOW + 0.4) == NOW
    assert build(NOW + 0.5, NOW + 5.2) == NOW + 1
    assert build(NOW + 5.3, NOW + 5.4) == NOW + 6
    assert build(NOW - 100, NOW - 50) == NOW + 7
    (image.contexts / f"{NAME}.lock").write_text("nonsense")
    assert build(NOW - 100, NOW - 50) == NOW - 100
    (image.contexts / f"{NAME}.lock").write_text("9" * 12)
    assert build(NOW, NOW) == NOW


def test_random_edits_never_look_like_what_a_builder_has(image: Image) -> None:
    """Two builds of one path that agree in size and time agree in content; equal ones in time."""
    edits = random.Random(20261126)
    seen: dict[tuple[str, int, int], str] = {}
    files: dict[str, str] = {}
    last: dict[str, tuple[str, int]] = {}
    for step in range(500):
        files[f"f{edits.randrange(8)}"] = edits.choice(["AAAA", "BBBB", "CCCC", "DD", ""])
        if len(files) > 6:
            files.pop(edits.choice(sorted(files)))
        found = image.build(files, NOW + step // 5)
        for path, text in files.items():
            modified = found[path].st_mtime_ns
            assert seen.setdefault((path, len(text), modified), text) == text
            if path in last:
                assert (last[path][0] == text) == (last[path][1] == modified)
                assert modified // SECOND >= last[path][1] // SECOND
        last = {path: (text, found[path].st_mtime_ns) for path, text in files.items()}
