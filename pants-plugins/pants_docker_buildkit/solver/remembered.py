"""What was asked once in a session, for all of its builds."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path


def remember(session: Path, kind: str, key: str, ask: Callable[[], str]) -> str:
    """What `ask` gives, which is called once in a session for each `key` of this kind."""
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    with open(session / f"{kind}-{name}.json", "a+") as file:
        # Builds of one session start together; one of them asks, the others wait for its answer.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        if known:
            return known
        answer = ask()
        file.write(answer)
        return answer


def forget(session: Path, kind: str) -> None:
    """Let each of this kind be asked again."""
    for file in session.glob(f"{kind}-*.json"):
        file.unlink(missing_ok=True)
