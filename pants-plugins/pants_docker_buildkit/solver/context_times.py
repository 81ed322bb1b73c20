"""Which time does each file of a context get, so that a builder takes only what has changed?

A builder keeps the last copy of a context. Of the next one it takes the files whose path, size,
mode or time differ, and never looks at content (fsutil's `diff_containerd.go`). A sandbox is new
for each build, and so would be all of its times. They are set from what this machine remembers:

- Seconds say when a path got its content on this machine. They never go back, not even where an
  earlier content returns, because cargo, make and ninja take a source that is older than what lies
  in their cache mount for unchanged.
- Nanoseconds come from the content's hash. So a change within the same second arrives, too. Layers
  keep whole seconds, and no image shows them.

A memory that was lost gives every file the present time, and all is sent once.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.definition import BuildJob, ContextKind

_NANOSECONDS = 10**9
_HASH_DIGITS = 12
_CLOCK_SKEW_SECONDS = 366 * 24 * 3600

MEMORY_DIRECTORY = "contexts"
"""Beside the directories of sessions: a file for each context, and one with an identity."""

_NODE_ID_FILE = "node"

Times = Mapping[str, "tuple[str, int]"]
"""By path: the hash of a content, and since which second it is there."""


def stamp_contexts(root: Path, settings: BuildSettings, job: BuildJob, memory: Path) -> None:
    """Set the times in all contexts of a build, which lie in `root`, as the files in `memory` say.

    Where nothing can be remembered, the sandbox's own times stay, and all is sent.
    """
    now = int(time.time())
    name = settings.context_name
    contexts = [(name, dict(settings.context_files), memory / f"{name}.json")]
    for each in job.definition.named_contexts:
        if each.kind is ContextKind.FILES:
            file = memory / f"{name}-{_hash(each.name.encode())[:16]}.json"
            contexts.append((each.directory, {}, file))
    with suppress(OSError):
        for directory, hashes, file in contexts:
            stamp_context(root / directory, hashes, file, now)


def node_identity(memory: Path) -> str:
    """What builders know this machine by, in the form that buildx gives it. Random, made once.

    Another one in each build where it cannot be kept.
    """
    path = memory / _NODE_ID_FILE
    with suppress(OSError):
        memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(os.urandom(8).hex())
        # The first one that is there stays, and nobody ever sees half of it.
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        return path.read_text()
    return os.urandom(8).hex()


def stamp_context(root: Path, hashes: Mapping[str, str], memory: Path, now: int) -> None:
    """Set the times of all that lies in `root`, as `memory`, a file, says, and remember them.

    `hashes` says of files what their content is; what it lacks is read. `now` is in seconds since
    the epoch. Raises `OSError`, before it sets a time that it could not remember.
    """
    before = _read(memory, now)
    after = {
        path: (content, _since(before.get(path), content, now))
        for path, content in _contents(root, hashes)
    }
    if after != before:
        _write(memory, after)
    for path, (content, seconds) in after.items():
        nanoseconds = seconds * _NANOSECONDS + int(content[:_HASH_DIGITS], 16) % _NANOSECONDS
        os.utime(root / path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def _since(known: tuple[str, int] | None, content: str, now: int) -> int:
    if known is None:
        return now
    return known[1] if known[0] == content else max(now, known[1])


def _contents(root: Path, hashes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each path, and a hash of what it is. That of a directory is the same for all of them."""
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, root)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                yield relative, _hash(b"link", os.fsencode(os.readlink(path)))
            elif stat.S_ISDIR(mode):
                yield relative, _hash(b"directory")
            elif relative in hashes:
                yield relative, _hash(b"file", hashes[relative].encode())
            else:
                yield relative, _hash(b"file", Path(path).read_bytes())


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _read(memory: Path, now: int) -> Times:
    """What is remembered; nothing where that is damaged."""
    try:
        document = json.loads(memory.read_bytes())
        times = {path: (str(each[0]), int(each[1])) for path, each in document.items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return {}
    is_sane = all(0 <= since <= now + _CLOCK_SKEW_SECONDS for _, since in times.values())
    return times if is_sane else {}


def _write(memory: Path, times: Times) -> None:
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Two sessions may build an image at once: the one that comes last is remembered, whole.
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}")
    temporary.write_text(json.dumps(times))
    os.replace(temporary, memory)
