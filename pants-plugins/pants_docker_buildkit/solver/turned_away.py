"""Did the SSH server of an engine turn a connection away because there were many at once?

A server does so with some, where ten others have not logged in yet (`MaxStartups` of sshd). It lets
the same one in a moment later.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from pants_docker_buildkit.solver.errors import TurnedAwayError
from pants_docker_buildkit.solver.failure import final_error, without_controls

T = TypeVar("T")

TURNED_AWAY_SECONDS = 30.0
_PAUSE_SECONDS = (0.2, 2.0)

# What `ssh` says if the other end closes a connection before anything else.
_SAID = re.compile(r"\b(?:kex|ssh)_exchange_identification: ")
# How Docker's client begins to say that `ssh` ended.
_NO_CONNECTION = re.compile(r'(?:[^"]*: )?error during connect: ')
# What becomes of a build of which another connection is turned away: the session is one of its own.
_NOT_BEGUN = re.compile(
    r"(?:[a-zA-Z ]+: )*(?:failed to read dockerfile: no active session for [a-z0-9]{20,}: .*"
    r"|listing workers(?: for Build)?: failed to list workers: Unavailable: connection error: .*)"
)


def is_turned_away(finding: str) -> bool:
    """Whether that is why there is no connection."""
    return _SAID.search(finding) is not None


def find_turned_away(output: str) -> str | None:
    """What `ssh` said, if that is why a build ended, before BuildKit knew of it."""
    error = final_error([without_controls(line) for line in output.splitlines()])
    return error if _NO_CONNECTION.match(error) and is_turned_away(error) else None


def find_missing_connection(output: str) -> str | None:
    """What a build ended with that has not begun, as one of its connections was not made."""
    error = final_error([without_controls(line) for line in output.splitlines()])
    return error if _NOT_BEGUN.fullmatch(error) else None


def let_in(work: Callable[[], T], seconds: float = TURNED_AWAY_SECONDS) -> T:
    """What `work` gives, which is tried again for some time where it is turned away."""
    deadline: float | None = None
    while True:
        try:
            return work()
        except TurnedAwayError:
            deadline = deadline or time.monotonic() + seconds
            if time.monotonic() >= deadline:
                raise
        pause()


def pause() -> None:
    """Wait for a moment, and not as long as all others that were turned away."""
    time.sleep(random.uniform(*_PAUSE_SECONDS))
