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
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pants_docker_buildkit.session.context_files import Contents, ContextPath, to_columns
from pants_docker_buildkit.session.directory import write_private

_NANOSECONDS = 10**9
_HASH_DIGITS = 12

CLOCK_SKEW_SECONDS = 366 * 24 * 3600
"""What is later than now by more is not remembered: the clock was wrong."""

CONTEXTS_DIRECTORY = "contexts"
"""Beside the directories of sessions: the contexts of each image, and an identity."""

_NODE_ID_FILE = "node"


class Known(NamedTuple):
    """What is remembered of one path.

    `kind` and `value` are those of the `ContextPath` that lies there, `since` is the second, since
    the epoch, in which it came there. `modified` and `changed` are the times in nanoseconds that it
    had when it was found to be right (`st_mtime_ns`, `st_ctime_ns`); without them, it has to be
    brought again.
    """

    kind: str
    value: str
    since: int
    modified: int = 0
    changed: int = 0

    def is_of(self, wanted: ContextPath) -> bool:
        """Whether this lies there, or lay there last."""
        return self.value == wanted.value and self.kind == wanted.kind

    @property
    def time(self) -> int:
        """The time in nanoseconds that it gets."""
        what = f"{self.kind}:{self.value}".encode("utf-8", "surrogateescape")
        content = hashlib.sha256(what).hexdigest()
        return self.since * _NANOSECONDS + int(content[:_HASH_DIGITS], 16) % _NANOSECONDS


Memory = Mapping[str, Known]


def remember_since(known: Known | None, wanted: ContextPath, now: int) -> Known:
    """What will be remembered of a path to which this comes now. `now` is in seconds.

    Also where the same is remembered to have lain there: a memory that was restored with its files
    is of what another machine had, or this one long ago.
    """
    since = now if known is None else max(now, known.since)
    return Known(wanted.kind, wanted.value, since)


def files_to_bring(contents: Contents, lying: Mapping[str, tuple[str, str]]) -> list[str]:
    """The paths of the files that do not lie in the directory, if this is what lies there."""
    return [
        path
        for path, wanted in contents.items()
        if wanted.is_file and lying.get(path) != wanted[:2]
    ]


def memory_path(contexts: Path, name: str) -> Path:
    """Where it is remembered what lies in the directory `name`."""
    return contexts / f"{name}.json"


def read_memory(path: Path, now: int) -> Memory:
    """What is remembered; nothing where that cannot be, or is later than `now` by far."""
    paths, *columns = _read_columns(path, now)
    return dict(zip(paths, map(Known, *columns)))


def read_lying(path: Path, now: int) -> Mapping[str, tuple[str, str]]:
    """The kind and the value of what lies there and need not be brought, by path.

    Python's collector has nothing to look for in such tuples. In a daemon that has millions of
    objects, it looks at all of these once there are a few hundred thousand new ones.
    """
    paths, kinds, values, _, _, changed = _read_columns(path, now)
    rows = zip(paths, zip(kinds, values), changed)
    return {path: what for path, what, is_right in rows if is_right}


def _read_columns(path: Path, now: int) -> list[list[Any]]:
    """The paths, and what each field of `Known` is for them."""
    nothing: list[list[Any]] = [[] for _ in range(1 + len(Known._fields))]
    try:
        paths, kinds, values, since, *times = columns = json.loads(path.read_bytes())
        is_sane = (
            len(columns) == 1 + len(Known._fields)
            and len({len(each) for each in columns}) == 1
            and _hold_only(str, paths, kinds, values)
            and _hold_only(int, since, *times)
            and min(since, default=0) >= 0
            and max(since, default=0) <= now + CLOCK_SKEW_SECONDS
        )
    except (OSError, ValueError, TypeError, RecursionError):
        return nothing
    return columns if is_sane else nothing


def _hold_only(kind: type, *columns: Any) -> bool:
    """Whether these are lists in which there is nothing else."""
    return all(type(each) is list and set(map(type, each)) <= {kind} for each in columns)


def write_memory(path: Path, memory: Memory) -> None:
    """Remember this. Raises `OSError`."""
    write_private(path, to_columns(memory))


def node_identity(contexts: Path) -> str:
    """What builders know this machine by, in the form that buildx gives it. Random, made once.

    Another one in each build where it cannot be kept.
    """
    path = contexts / _NODE_ID_FILE
    with suppress(OSError):
        contexts.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(os.urandom(8).hex())
        # The first one that is there stays, and nobody ever sees half of it.
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        return path.read_text()
    return os.urandom(8).hex()
