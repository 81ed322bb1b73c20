"""Put off Python's full garbage collections while sessions run, to when nobody waits.

Each looks at all objects of Pants, which are half a million with a thousand images, and finds next
to nothing. Python has one whenever a quarter of them is new, so a run that makes many has several.
And it has some more as it ends, for which whoever runs Pants without its daemon waits.
"""

from __future__ import annotations

import atexit
import gc
import threading

_SELDOM = 500
"""So many collections of the middle generation, in place of 10, before one is full after all."""

_IDLE_SECONDS = 0.1
"""In which Pants ends the command. The client of the next one takes half a second to start."""


class FullCollections:
    """Those of this process, which may have several sessions at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions = 0
        self._thresholds = gc.get_threshold()
        self._ends_without = False

    def put_off(self) -> None:
        """A session begins. Smaller collections go on."""
        with self._lock:
            self._sessions += 1
            if not self._ends_without:
                self._ends_without = True
                # What is left then goes back to the system without being looked at.
                atexit.register(gc.freeze)
            young, middle, old = gc.get_threshold()
            # Where a threshold is 0 there are none: by choice, or in some versions of Python.
            if self._sessions == 1 and young > 0 and 0 < old < _SELDOM:
                self._thresholds = young, middle, old
                gc.set_threshold(young, middle, _SELDOM)

    def allow(self) -> None:
        """A session ends. What was put off is done at once, when the command has its answer."""
        with self._lock:
            self._sessions -= 1
            if self._sessions > 0 or gc.get_threshold()[2] != _SELDOM:
                return
            gc.set_threshold(*self._thresholds)
            if gc.get_count()[2] > self._thresholds[2]:
                timer = threading.Timer(_IDLE_SECONDS, self._make_up)
                timer.daemon = True
                timer.start()

    def _make_up(self) -> None:
        with self._lock:
            is_idle = self._sessions == 0
        if is_idle:
            gc.collect()


FULL_COLLECTIONS = FullCollections()
