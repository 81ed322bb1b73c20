"""The directory in which the contexts of an image lie on this machine, from build to build.

It is brought up to date with the files that changed, and checked against what the key of the build
says, before BuildKit reads it. Whoever builds has it locked until buildx has ended.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    DIRECTORY_ROW_END,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    context_row,
    parse_row,
    row_path,
)
from pants_docker_buildkit.session.directory import UnusableDirectoryError, check_private
from pants_docker_buildkit.solver.context_memory import (
    CLOCK_SKEW_SECONDS,
    Known,
    Memory,
    Status,
    memory_path,
    read_memory,
    remember_since,
    write_memory,
)
from pants_docker_buildkit.solver.locked_file import lock_file, try_to_lock_file

UNUSED_SECONDS = 14 * 24 * 3600
"""Contexts that no build needed for so long are removed."""

_DAY_SECONDS = 24 * 3600
_CLEANED_FILE = "cleaned"
_LOCK_SUFFIX = ".lock"
_SECOND_LENGTH = 12

_IS_ANOTHER = (
    "it is there as another path of the context (names that differ in case only, or in how a letter"
    " is encoded, are one there)"
)
_MODES = {
    FILE: stat.S_IFREG | 0o644,
    PROGRAM: stat.S_IFREG | 0o755,
    DIRECTORY: stat.S_IFDIR | 0o755,
}


@dataclass(frozen=True)
class ContextDirectory:
    """The directory of one image, locked. `lock` is the descriptor that keeps it so.

    `now` is the second, since the epoch, in which what changed is said to have come there: later
    than the last build, or what that made in a cache mount would be younger than a later change.
    """

    path: Path
    lock: int
    memory_path: Path
    now: int

    def bring_up_to_date(self, contents: Collection[str], deliveries: Path) -> bool:
        """Let the directory hold what these rows say and nothing else, and say whether it does.

        They have a row for each directory. Files that it lacks are taken out of the directories in
        `deliveries`. Where they are not there either, somebody has to bring what is not remembered
        to be here. Raises `OSError`.
        """
        memory = read_memory(self.memory_path, self.now)
        wanted = set(contents)
        remembered = {known.row for known in memory.values()}
        right, found = _scan(self.path, memory)
        unwanted = {row_path(row) for row in remembered - wanted}
        found.update((path, self._status(path)) for path in right & unwanted)
        right -= unwanted
        right.update(
            path
            for path, status in found.items()
            if status.st_mode == _MODES[DIRECTORY] and context_row(path, DIRECTORY) in wanted
        )
        self._remove(found, right, wanted)
        lost = {memory[path].row for path in memory.keys() - right}
        missing = (wanted - remembered) | (lost & wanted)
        after = dict(memory)
        for path in unwanted:
            del after[path]
        is_complete = self._make_all(missing, right, after, memory, deliveries)
        self._stamp_directories(contents, after)
        if after != memory:
            write_memory(self.memory_path, after)
        return is_complete

    def _status(self, path: str) -> os.stat_result:
        return os.lstat(os.path.join(self.path, path))

    def _remove(
        self, found: Mapping[str, os.stat_result], right: set[str], wanted: set[str]
    ) -> None:
        # What lies in a directory comes before it.
        for path in sorted(found.keys() - right, reverse=True):
            if not stat.S_ISDIR(found[path].st_mode):
                (self.path / path).unlink()
            elif context_row(path, DIRECTORY) in wanted:
                (self.path / path).chmod(stat.S_IMODE(_MODES[DIRECTORY]))
                right.add(path)
            else:
                (self.path / path).rmdir()

    def _make_all(
        self,
        rows: Iterable[str],
        right: set[str],
        after: dict[str, Known],
        memory: Memory,
        deliveries: Path,
    ) -> bool:
        """Make what these rows say where it is not `right`, remember it, and say whether it is."""
        sources = sorted(deliveries.iterdir()) if deliveries.is_dir() else []
        is_complete = True
        for path, row in sorted((row_path(row), row) for row in rows):
            last, wanted = memory.get(path), parse_row(row)[1]
            known = remember_since(last, row, self.now)
            if path in right:
                after[path] = known
            elif self._make(path, wanted, sources):
                after[path] = self._stamp(path, known, wanted)
            else:
                is_complete = False
                if last is not None:
                    # What comes there will not be older.
                    after[path] = Known(last.row, last.since)
        return is_complete

    def _make(self, path: str, wanted: ContextPath, sources: list[Path]) -> bool:
        place = self.path / path
        # What was there is `right`, or was removed.
        if os.path.lexists(place):
            raise UnusableDirectoryError(place, _IS_ANOTHER)
        if wanted.kind == LINK:
            place.symlink_to(wanted.value)
            return True
        if wanted.kind == DIRECTORY:
            place.mkdir()
        elif not _take(path, wanted, sources, place):
            return False
        place.chmod(stat.S_IMODE(_MODES[wanted.kind]))
        return True

    def _stamp(self, path: str, known: Known, wanted: ContextPath) -> Known:
        """What is remembered of a path that was made. Of directories, no status: it changes."""
        place = self.path / path
        os.utime(place, ns=(known.time, known.time), follow_symlinks=False)
        status = place.lstat()
        is_as_wanted = (
            stat.S_ISLNK(status.st_mode) and os.readlink(place) == wanted.value
            if wanted.kind == LINK
            else status.st_mode == _MODES[wanted.kind]
            and (wanted.kind == DIRECTORY or status.st_size == wanted.size)
        )
        if not is_as_wanted:
            found = f"{stat.filemode(status.st_mode)}, of {status.st_size} bytes"
            raise UnusableDirectoryError(place, f"it did not stay as it was made ({found})")
        if wanted.kind == DIRECTORY:
            return known
        right = Status(status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return known._replace(status=right)

    def _stamp_directories(self, contents: Iterable[str], after: Memory) -> None:
        """Give directories their times again, which change with what is put into them."""
        for row in contents:
            if not row.endswith(DIRECTORY_ROW_END):
                continue
            path, lying = parse_row(row)
            # Where a link leads may end so, too.
            if lying.kind == DIRECTORY:
                known = after[path]
                if self._status(path).st_mtime_ns != known.time:
                    os.utime(self.path / path, ns=(known.time, known.time))


def _take(path: str, wanted: ContextPath, sources: list[Path], place: Path) -> bool:
    for source in sources:
        with suppress(FileNotFoundError, NotADirectoryError):
            status = (source / path).lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != wanted.size:
                continue
            if status.st_nlink == 1:
                _move(source / path, place)
            else:
                # Mode and time would be those of whoever else has the file.
                shutil.copyfile(source / path, place)
            return True
    return False


def _move(source: Path, place: Path) -> None:
    try:
        os.rename(source, place)
    except OSError as e:
        if e.errno != errno.EXDEV:
            raise
        # Contexts may lie on a volume of their own.
        shutil.copyfile(source, place)
        source.unlink()


@contextmanager
def _opened(directory: str) -> Iterator[int]:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield number
    finally:
        os.close(number)


def _scan(root: Path, memory: Memory) -> tuple[set[str], dict[str, os.stat_result]]:
    """The paths at which nobody has touched what is remembered to lie there, and all others."""
    untouched: set[str] = set()
    others: dict[str, os.stat_result] = {}
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        prefix = f"{directory}/" if directory else ""
        # The paths of what lies in it are looked up from there, and not from the root.
        with _opened(os.path.join(root, directory)) as number, os.scandir(number) as entries:
            for entry in entries:
                path = prefix + entry.name
                status = entry.stat(follow_symlinks=False)
                known = memory.get(path)
                if known is not None and known.status == (
                    status.st_mode,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                ):
                    untouched.add(path)
                    continue
                others[path] = status
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
    return untouched, others


@contextmanager
def open_contexts(
    contexts: Path, name: str, say_waiting: Callable[[], None]
) -> Iterator[ContextDirectory]:
    """The directory called `name` in `contexts`, which nobody else has meanwhile.

    `say_waiting` is called if it has to be waited for. Raises `UnusableDirectoryError` where others
    may write, and `OSError`.
    """
    _make_private(contexts)
    with _locked(contexts / f"{name}{_LOCK_SUFFIX}", say_waiting) as lock:
        path = contexts / name
        _make_private(path)
        now = max(int(time.time()), _read_second(lock) + 1)
        _write_second(lock, now)
        try:
            yield ContextDirectory(path, lock, memory_path(contexts, name), now)
        finally:
            _write_second(lock, max(int(time.time()), now))


def _make_private(directory: Path) -> None:
    # Also where no directory is: what is there then is named.
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700, parents=True)
    check_private(directory)


def _read_second(lock: int) -> int:
    """When the last build ended, or at least began."""
    text = os.pread(lock, _SECOND_LENGTH, 0)
    second = int(text) if text.isdigit() else 0
    return second if second <= time.time() + CLOCK_SKEW_SECONDS else 0


def _write_second(lock: int, second: int) -> None:
    with suppress(OSError):
        os.pwrite(lock, b"%0*d" % (_SECOND_LENGTH, second), 0)


@contextmanager
def _locked(path: Path, say_waiting: Callable[[], None]) -> Iterator[int]:
    file = try_to_lock_file(path)
    if file is None:
        say_waiting()
        file = lock_file(path)
    with file:
        yield file.fileno()


def remove_unused_contexts(contexts: Path) -> None:
    """Remove what no build has needed for `UNUSED_SECONDS`. Looks at most once a day."""
    now = time.time()
    cleaned = contexts / _CLEANED_FILE
    with suppress(OSError):
        if cleaned.exists() and 0 <= now - cleaned.stat().st_mtime < _DAY_SECONDS:
            return
        cleaned.touch()
        for lock in contexts.glob(f"*{_LOCK_SUFFIX}"):
            if now - lock.stat().st_mtime > UNUSED_SECONDS:
                _remove_contexts(contexts, lock)


def _remove_contexts(contexts: Path, lock: Path) -> None:
    """Remove the contexts of one image. The file that locks them stays: others may wait for it."""
    file = try_to_lock_file(lock)
    if file is not None:
        with file:
            name = lock.name[: -len(_LOCK_SUFFIX)]
            memory_path(contexts, name).unlink(missing_ok=True)
            shutil.rmtree(contexts / name, ignore_errors=True)
