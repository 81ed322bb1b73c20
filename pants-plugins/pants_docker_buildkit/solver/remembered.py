"""What was asked once in a session, for all of its builds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.session.directory import write_private
from pants_docker_buildkit.solver.locked_file import lock_file


def remember(session: Path, kind: str, key: str, ask: Callable[[], str]) -> str:
    """What `ask` gives, which is called once in a session for each `key` of this kind."""
    known = session / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    # Builds of one session start together; one of them asks, the others wait for its answer.
    with lock_file(known.with_suffix(".lock")):
        with suppress(FileNotFoundError):
            return known.read_bytes().decode()
        answer = ask()
        # A disk that is full has no part of it, which nobody could read.
        write_private(known, answer.encode())
        return answer


def forget(session: Path, kind: str) -> None:
    """Let each of this kind be asked again."""
    for file in session.glob(f"{kind}-*.json"):
        file.unlink(missing_ok=True)
