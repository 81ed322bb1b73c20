"""Which images are in no cache of Pants, in a session that builds none?

Each is found by a rule of its own, and the first of them that fails ends the run. So one that found
nothing waits until no other has looked for a moment, and can tell of them all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

_QUIET_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.2


class MissingImages:
    """Collects them, from rules that run side by side."""

    def __init__(self, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self._quiet_seconds = quiet_seconds
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._looking = 0
        self._looked_at = 0.0
        self._settled: Future[Mapping[str, str]] | None = None
        self._pause: Future[None] | None = None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While an image is looked up."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._looking += change
            self._looked_at = time.monotonic()

    def add(self, target: str, reason: str) -> Future[Mapping[str, str]]:
        """Add one, and why it would be built. The future gives all, once nobody looks any more."""
        with self._lock:
            self._found[target] = reason
            if self._settled is None:
                self._settled = Future()
                threading.Thread(target=self._settle, args=(self._settled,), daemon=True).start()
            return self._settled

    def pause(self) -> Future[None]:
        """What is done in a moment, for all who wait for `add`.

        Who waits holds what look-ups need as well: one of Pants' processes, which may also wait for
        the registries that others ask. So nobody may wait for `add` itself.
        """
        with self._lock:
            if self._pause is None or self._pause.done():
                self._pause = Future()
                threading.Timer(_PAUSE_SECONDS, self._pause.set_result, (None,)).start()
            return self._pause

    def _settle(self, settled: Future[Mapping[str, str]]) -> None:
        while not self._is_quiet():
            time.sleep(_LOOK_SECONDS)
        with self._lock:
            self._settled = None
            found = dict(sorted(self._found.items()))
        settled.set_result(found)

    def _is_quiet(self) -> bool:
        with self._lock:
            quiet = time.monotonic() - self._looked_at
            return not self._looking and quiet >= self._quiet_seconds
