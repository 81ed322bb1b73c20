"""End a program that runs for too long, or that does not end when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_TO_END = 15.0
"""How long a program has to tidy up before it is killed."""

_INTERRUPTED_SECONDS = 2.0
"""How long it has where this process was interrupted as well. Pants waits 3 s for its processes."""


@contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold an interrupt back until what this gives is called, where one would be heard of.

    So a program that is started meanwhile has somebody who ends it.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    held: list[int] = []

    def let_in() -> None:
        signal.signal(signal.SIGINT, before)
        if held:
            before(signal.SIGINT, None)

    signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield let_in
    finally:
        signal.signal(signal.SIGINT, before)


class Deadline:
    """Ends `process` after so many seconds, if it still runs; never with `None`.

    It is watched inside of the `with` block. An interrupt there is taken to reach it, too: it has
    ended when the block has, or it would keep the contexts of the next build.
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

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if kind is KeyboardInterrupt:
            self._end_interrupted()

    def _end_interrupted(self) -> None:
        try:
            self._process.wait(_INTERRUPTED_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, then)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.has_passed = True
        self._process.terminate()
        self._start(_SECONDS_TO_END, self._process.kill)
