"""Wait for registries without keeping Pants from doing anything else.

A rule that blocks holds one of the few threads that run rules, so a thousand rules that each wait
for a registry would wait one after the other. Only a process is waited for without a thread, so the
rules wait together for a process that ends when a file appears; a thread of ours makes the file.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly, uncacheable_rule
from pants_docker_buildkit.util_rules.session import (
    CACHE_LINK,
    CACHE_NAME,
    PROCESS_PATH,
    SESSION_IN_SANDBOX,
    WAITS_DIRECTORY,
)

_SETTLE_SECONDS = 0.02
_LONGEST_BLOCK_SECONDS = 0.05
_ALL_BLOCKS_SECONDS = 1.0

# It also ends with its session, so that it is never left behind.
_SCRIPT = f"""\
waits="{SESSION_IN_SANDBOX}/{WAITS_DIRECTORY}"
until [ -e "$waits/$1" ] || [ ! -d "$waits" ]; do sleep 0.01; done
"""


class RegistryWaits:
    """The waits of one session, below its directory `waits`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: str | None = None
        self._pending: list[Future[Any]] = []
        self._seconds_left = _ALL_BLOCKS_SECONDS

    def block(self, futures: Sequence[Future[Any]]) -> bool:
        """Block for a moment, and tell whether the answers are there.

        Starting a process takes longer than a registry that is near. A session whose registries
        are far stops to block at all.
        """
        started = time.monotonic()
        timeout = _LONGEST_BLOCK_SECONDS if self._seconds_left > 0 else 0
        is_done = not wait(futures, timeout=timeout).not_done
        with self._lock:
            self._seconds_left -= time.monotonic() - started
        return is_done

    def join(self, futures: Sequence[Future[Any]], directory: Path) -> str | None:
        """A token whose file appears once all of these are done; `None` if they are already."""
        if self.block(futures):
            return None
        with self._lock:
            self._pending += futures
            if self._token is None:
                self._token = uuid.uuid4().hex
                arguments = (self._token, directory)
                threading.Thread(target=self._release, args=arguments, daemon=True).start()
            return self._token

    def _release(self, token: str, directory: Path) -> None:
        time.sleep(_SETTLE_SECONDS)
        while pending := self._still_pending():
            wait(pending)
        try:
            (directory / token).touch()
        except OSError:
            # The session is over, and so is the process that waited.
            return

    def _still_pending(self) -> list[Future[Any]]:
        with self._lock:
            self._pending = [future for future in self._pending if not future.done()]
            if not self._pending:
                self._token = None
            return list(self._pending)


@dataclass(frozen=True)
class WaitRequest:
    """Asks to wait for the file of a token."""

    token: str


@dataclass(frozen=True)
class Waited:
    """The file is there, or the session is over."""


@uncacheable_rule
async def wait_for_registries(request: WaitRequest) -> Waited:
    process = Process(
        argv=("/bin/sh", "-c", _SCRIPT, "wait", request.token),
        description="Wait for registries",
        env={"PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
        cache_scope=ProcessCacheScope.PER_SESSION,
        level=LogLevel.DEBUG,
    )
    await execute_process(process, **implicitly())
    return Waited()


def rules() -> Iterable[Rule]:
    return collect_rules()
