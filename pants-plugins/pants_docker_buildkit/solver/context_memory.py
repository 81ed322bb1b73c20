"""What does this machine remember of the contexts of an image, and which times follow from it?

A builder keeps the last copy of a context. Of the next one it takes the files whose path, size,
mode or time differ, and never looks at content (fsutil's `diff_containerd.go`). So times say what
has changed:

- Seconds say when a path got its content on this machine. They never go back, not even where an
  earlier content returns, because cargo, make and ninja take a source that is older than what lies
  in their cache mount for unchanged.
- Nanoseconds come from the content's hash. So a change within the same second arrives, too. Layers
  keep whole seconds, and no image shows them.

A memory that was lost gives every file the present time, and all is sent once. So does one that was
restored, from the cache of a CI service perhaps: no file lies there as it was remembered then.
"""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from pants_docker_buildkit.session.context_files import (
    ContextPath,
    join_rows,
    parse_row,
    row_path,
    split_rows,
)
from pants_docker_buildkit.session.directory import write_private

_NANOSECONDS = 10**9
_HASH_DIGITS = 12

CLOCK_SKEW_SECONDS = 366 * 24 * 3600
"""What is later than now by more is not remembered: the clock was wrong."""

CONTEXTS_DIRECTORY = "contexts"
"""Beside the directories of sessions: the contexts of each image, and an identity."""

_NODE_ID_FILE = "node"
_NODE_ID_BYTES = 8
_NODE_ID = re.compile(f"[0-9a-f]{{{2 * _NODE_ID_BYTES}}}")


class Status(NamedTuple):
    """What the system says of a path: mode and size, and times in nanoseconds."""

    mode: int = 0
    size: int = 0
    modified: int = 0
    changed: int = 0


_NOT_THERE = Status()
_COLUMNS = 1 + len(Status._fields)
_INTEGER = "q"
_INTEGER_BYTES = array(_INTEGER).itemsize


class Known(NamedTuple):
    """What is remembered of one path.

    `row` says what lies there, `since` is the second, since the epoch, in which it came there.
    `status` is as it was found to be when that was right; without it, it has to be brought again.
    """

    row: str
    since: int
    status: tuple[int, ...] = _NOT_THERE

    @property
    def time(self) -> int:
        """The time in nanoseconds that it gets."""
        _, lying = parse_row(self.row)
        what = f"{lying.kind}:{lying.value}".encode("utf-8", "surrogateescape")
        content = hashlib.sha256(what).hexdigest()
        return self.since * _NANOSECONDS + int(content[:_HASH_DIGITS], 16) % _NANOSECONDS


Memory = Mapping[str, Known]


def remember_since(known: Known | None, row: str, now: int) -> Known:
    """What will be remembered of a path to which this comes now. `now` is in seconds.

    Also where the same is remembered to have lain there: a memory that was restored with its files
    is of what another machine had, or this one long ago.
    """
    since = now if known is None else max(now, known.since)
    return Known(row, since)


def files_to_bring(rows: Iterable[str], lying: Collection[str]) -> dict[str, ContextPath]:
    """The files that do not lie in the directory, if this is what lies there, by path."""
    missing = map(parse_row, [row for row in rows if row not in lying])
    return {path: wanted for path, wanted in missing if wanted.is_file}


def memory_path(contexts: Path, name: str) -> Path:
    """Where it is remembered what lies in the directory `name`."""
    return contexts / f"{name}.memory"


def read_memory(path: Path, now: int) -> Memory:
    """What is remembered; nothing where that cannot be, or is later than `now` by far."""
    rows, (since, *statuses) = _read_columns(path, now)
    paths = map(row_path, rows)
    return dict(zip(paths, map(Known, rows, since, zip(*statuses))))


def read_lying(path: Path, now: int) -> set[str]:
    """The rows of what lies there and need not be brought."""
    rows, (*_, changed) = _read_columns(path, now)
    return set(compress(rows, changed))


def _read_columns(path: Path, now: int) -> tuple[list[str], list[array[int]]]:
    """The rows, and each number that is remembered of them."""
    nothing: tuple[list[str], list[array[int]]] = [], [array(_INTEGER)] * _COLUMNS
    try:
        head, _, rest = path.read_bytes().partition(b"\n")
        count, size = map(int, head.split())
        length = count * _INTEGER_BYTES
        starts = range(0, length * _COLUMNS, length) if length else (0,) * _COLUMNS
        columns = [array(_INTEGER, rest[start : start + length]) for start in starts]
        rows = split_rows(rest[length * _COLUMNS :])
        since = columns[0]
        is_sane = (
            len(rest) == length * _COLUMNS + size
            and {len(each) for each in columns} == {len(rows)}
            and min(since, default=0) >= 0
            and max(since, default=0) <= now + CLOCK_SKEW_SECONDS
        )
    except (OSError, ValueError):
        return nothing
    return (rows, columns) if is_sane else nothing


def write_memory(path: Path, memory: Memory) -> None:
    """Remember this. Raises `OSError`."""
    columns: list[Iterable[int]] = [[known.since for known in memory.values()]]
    columns += zip(*(known.status for known in memory.values()))
    numbers = b"".join(array(_INTEGER, each).tobytes() for each in columns)
    rows = join_rows(known.row for known in memory.values())
    write_private(path, b"%d %d\n%b%b" % (len(memory), len(rows), numbers, rows))


def node_identity(contexts: Path) -> str:
    """What builders know this machine by, in the form that buildx gives it. Random, made once.

    Another one in each build where it cannot be kept, and from now on where what was kept is none:
    a disk that was full or lost its power leaves half of it, or nothing.
    """
    path = contexts / _NODE_ID_FILE
    identity = _random_identity()
    with suppress(OSError):
        contexts.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and _read_identity(path) is None:
            path.unlink()
        temporary = path.with_name(f"{path.name}.{identity}")
        temporary.write_text(identity)
        # The first one that is there stays, and nobody ever sees half of it.
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        return _read_identity(path) or identity
    return identity


def _random_identity() -> str:
    return os.urandom(_NODE_ID_BYTES).hex()


def _read_identity(path: Path) -> str | None:
    text = path.read_bytes().decode("ascii", "replace")
    return text if _NODE_ID.fullmatch(text) else None
