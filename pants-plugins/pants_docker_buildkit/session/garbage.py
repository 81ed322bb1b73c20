"""Have Python look for garbage among what is new only, while sessions run.

Pants keeps some million Python objects for a thousand images, and a session makes many more that
stay. Each time that there are a quarter more, Python looks through all of them, with its lock held:
0.2 s and more, in the middle of a run. Almost nothing of it is ever garbage.
"""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import suppress
from typing import Any

_FULL = 2
"""The generation of collections that look at everything."""

_IDLE_SECONDS = 10.0
"""So long after a session all is looked through, unless there is another one by then."""


def _has_lock() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def _keep(phase: str, info: dict[str, Any]) -> None:
    """After a collection, take what it has seen out of the next one."""
    if phase == "stop" and info["generation"] == _FULL:
        gc.freeze()


class GarbageCollection:
    """Python's own, of this whole process.

    `has_lock` is whether this Python has its lock, which is found out without it.
    """

    def __init__(
        self, *, idle_seconds: float = _IDLE_SECONDS, has_lock: bool | None = None
    ) -> None:
        # Without Python's lock, to set objects aside stops all threads and looks at each of them.
        self._sets_aside = _has_lock() if has_lock is None else has_lock
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def begin_session(self) -> None:
        """Set aside what is there, and what collections find to be no garbage."""
        if not self._sets_aside:
            return
        with self._lock:
            self._stop_timer()
            gc.freeze()
            if _keep not in gc.callbacks:
                gc.callbacks.append(_keep)

    def end_session(self) -> None:
        """Look through everything once nobody waits for Pants any more, and then do as Python."""
        if not self._sets_aside:
            return
        with self._lock:
            self._stop_timer()
            self._timer = threading.Timer(self._idle_seconds, self._look_through)
            self._timer.daemon = True
            self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_through(self) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():
                return
            self._timer = None
            with suppress(ValueError):
                gc.callbacks.remove(_keep)
            gc.unfreeze()
            gc.collect()
