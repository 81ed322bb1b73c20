"""At most so many builds at once on one builder, by all sessions of a user on this machine.

A slot is a locked file: where a build is killed, its lock goes with it.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pants_docker_buildkit.solver.locked_file import try_to_lock_file

SLOTS_DIRECTORY = "slots"
"""Where the files are, beside the directories of sessions."""


def take_slot(
    directory: Path, builder: str, most: int | None
) -> AbstractContextManager[object] | None:
    """A slot of a builder, free again when the block ends; `None` if `most` builds have one.

    Without `most` there is one for everybody.
    """
    if most is None:
        return nullcontext()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(builder.encode()).hexdigest()[:16]
    places = (directory / f"{name}-{number}" for number in range(most))
    return next(filter(None, map(try_to_lock_file, places)), None)
