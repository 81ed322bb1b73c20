"""Give memory back that Pants has freed, while a session runs.

Pants frees much of what it needs for many targets, but the C library keeps it: half of what a
daemon has after a run over 1,000 images. That counts against the memory limit of Pants, and each
process that Pants starts copies the page tables of all of it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 8.0
"""How often is looked: as often while memory grows, and as seldom once it has not for a while."""

_GROWTH_BYTES = 32 << 20
"""Growth that is worth a trim, which takes some milliseconds for each 100 MB that it gives back."""

_STATUS = Path("/proc/self/statm")


def resident_bytes() -> int:
    """How much memory this process has. For Linux."""
    return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def find_trim() -> Callable[[int], int] | None:
    """The function that gives back what is free; `None` where the C library has none."""
    if sys.platform != "linux":
        return None
    # musl has none: it keeps nothing.
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


class HeapTrimmer:
    """Looks at the memory of this process, in a thread of its own, and trims it after growth."""

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._trim = find_trim()

    def start(self) -> None:
        """Begin, where that is possible."""
        if self._trim is not None:
            name = "docker-buildkit-heap"
            thread = threading.Thread(
                target=self._watch, args=(self._trim,), name=name, daemon=True
            )
            # Nobody needs it where no more threads may run.
            with suppress(RuntimeError):
                thread.start()

    def close(self) -> None:
        """Trim once more and stop, in a moment."""
        self._is_over.set()

    def _watch(self, trim: Callable[[int], int]) -> None:
        trimmed, wait = 0, _LOOK_SECONDS
        while not self._is_over.wait(wait):
            wait = min(2 * wait, _QUIET_SECONDS)
            # Where no more files may be open, it is looked at later.
            with suppress(OSError):
                if resident_bytes() > trimmed + _GROWTH_BYTES:
                    trim(0)
                    trimmed, wait = resident_bytes(), _LOOK_SECONDS
        # What was there for this session alone is free by now, and counts in the next one, too.
        trim(0)
