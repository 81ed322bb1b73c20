"""Which images are in no cache of Pants, in a session that builds none?

Each is found by a rule of its own, and the first of them that fails ends the run. So one that found
nothing waits until no other can find anything any more, and tells of them all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

_QUIET_ROUNDS = 3
_PAUSE_SECONDS = 0.4

_MOST_QUIET_ROUNDS = 600
"""After so many, who still looks is taken to wait, in a way that nobody knows, for who waits."""


class MissingImages:
    """Collects them, from rules that run side by side.

    Who looks counts from when its rule begins, however long it takes to define the image. Only who
    needs what is missing does not: it will never find anything. Rules that have not begun yet are
    known to nobody. So those who wait do it in rounds, in each of which Pants had time for rules:
    when nothing has happened in a few of them, nothing will.
    """

    def __init__(self, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._looking: Counter[str] = Counter()
        self._needs: dict[str, frozenset[str]] = {}
        self._has_changed = False
        self._quiet_rounds = 0
        self._pause: Future[None] | None = None

    @contextmanager
    def looking(self, target: str, needs: Collection[str] | None = None) -> Iterator[None]:
        """While this target finds out which image it is or names, and whether a cache has it.

        `needs` are the images that it may wait for, if that is known.
        """
        with self._lock:
            self._looking[target] += 1
            if needs is not None:
                self._needs[target] = frozenset(needs)
            self._has_changed = True
        try:
            yield
        finally:
            with self._lock:
                self._looking[target] -= 1
                if not self._looking[target]:
                    del self._looking[target]
                self._has_changed = True

    def begin_session(self) -> None:
        """Forget what the last session found. Rules that run may be those of the next."""
        with self._lock:
            self._found.clear()
            self._needs.clear()
            self._quiet_rounds = 0

    def add(self, target: str, reason: str) -> None:
        """Add one, and why it would be built, before it looks no more."""
        with self._lock:
            self._found[target] = reason
            self._has_changed = True

    def pause(self) -> Future[None]:
        """The round that all who wait are in, done in a moment.

        Who waits may do so together with those who ask registries, and hold them up. So nobody may
        wait for longer than that.
        """
        with self._lock:
            if self._pause is None or self._pause.done():
                self._begin_round()
                pause: Future[None] = Future()
                timer = threading.Timer(self._pause_seconds, pause.set_result, (None,))
                timer.daemon = True
                # Where no thread can be started, nobody may wait for this.
                timer.start()
                self._pause = pause
            return self._pause

    def _begin_round(self) -> None:
        is_quiet = self._pause is not None and not self._has_changed
        self._quiet_rounds = self._quiet_rounds + 1 if is_quiet else 0
        self._has_changed = False

    def undecided(self) -> tuple[str, ...]:
        """Who keeps the others waiting, and may itself wait for what is missing.

        None as long as anything happens: most will have ended by then.
        """
        with self._lock:
            if not self._quiet_rounds:
                return ()
            return tuple(sorted(self._looking.keys() - self._needs.keys()))

    def decide(self, target: str, needs: Collection[str]) -> None:
        """Tell what a target needs, at any depth."""
        with self._lock:
            self._needs[target] = frozenset(needs) - {target}

    def all(self) -> Mapping[str, str] | None:
        """All that are missing, with their reasons. `None` while others may be found."""
        with self._lock:
            if self._quiet_rounds < _QUIET_ROUNDS:
                return None
            if self._quiet_rounds < _MOST_QUIET_ROUNDS and not all(
                self._needs.get(each, frozenset()) & self._found.keys() for each in self._looking
            ):
                return None
            return dict(sorted(self._found.items()))
