"""End a program that runs for too long."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

_SECONDS_TO_END = 15.0
"""How long a program has to tidy up before it is killed."""


class Deadline:
    """Ends `process` after so many seconds, if it still runs; never with `None`.

    It is watched inside of the `with` block.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float | None) -> None:
        self.has_passed = False
        self._process = process
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Deadline:
        if self._seconds is not None:
            self._start(min(self._seconds, threading.TIMEOUT_MAX), self._end)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, then)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.has_passed = True
        self._process.terminate()
        self._start(_SECONDS_TO_END, self._process.kill)
