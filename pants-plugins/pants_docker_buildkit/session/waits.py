"""Let rules wait for registries together, without keeping a thread of Pants.

A rule that blocks holds one of the few threads that run rules, so a thousand rules that each wait
for a registry would wait one after the other. Only a process is waited for without a thread, so the
rules wait together for a process that reads from a FIFO. A thread of ours writes to it when the
answers are there. Where Pants is gone, nobody can write any more, so the process ends as well.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

WAITS_DIRECTORY = "waits"

_SETTLE_SECONDS = 0.05
_LONGEST_SETTLE_SECONDS = 1.0
"""So long after the last rule joined a process others may, even if all answers are there: until so
long after the first. Rules that come one after the other keep Pants busy anyway."""

_LONGEST_BLOCK_SECONDS = 0.05
_ALL_BLOCKS_SECONDS = 1.0
_MOST_VAIN_BLOCKS = 2
_LONGEST_BLOCK_ALONE_SECONDS = 0.5
"""A rule that no other one waits beside keeps one thread only. A process is dearer: it is a fork of
Pants, which takes as much of the processor as the pages that Pants has in memory."""


def wake_all(directory: Path) -> None:
    """End the processes that wait in a directory of FIFOs, whoever made them."""
    with suppress(OSError):
        for path in directory.iterdir():
            # A process that opens a FIFO waits for a writer, and then for as long as there is one.
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


class Waits:
    """The waits of one session. Their FIFOs are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._token: str | None = None
        self._pending: list[Future[Any]] = []
        self._joined = 0.0
        self._writers: dict[str, int] = {}
        self._is_closed = False
        self._seconds_left = _ALL_BLOCKS_SECONDS
        self._blocked = 0
        self._vain_alone = 0

    def block(self, futures: Sequence[Future[Any]]) -> bool:
        """Block for a moment, and say whether the answers are there.

        Starting a process takes longer than a registry that is near. A session whose registries
        are far finds out soon, and stops blocking more than one rule at a time.
        """
        started = time.monotonic()
        with self._lock:
            is_alone = self._may_block_alone()
            longest = _LONGEST_BLOCK_SECONDS if self._seconds_left > 0 else 0
            timeout = _LONGEST_BLOCK_ALONE_SECONDS if is_alone else longest
            self._blocked += 1
        is_done = not wait(futures, timeout=timeout).not_done
        with self._lock:
            self._blocked -= 1
            if is_alone:
                self._vain_alone = 0 if is_done else self._vain_alone + 1
            else:
                took = time.monotonic() - started
                vain = _ALL_BLOCKS_SECONDS / _MOST_VAIN_BLOCKS
                self._seconds_left -= took if is_done else max(took, vain)
        return is_done

    def _may_block_alone(self) -> bool:
        """Whether no rule blocks, and none waits in a process, which others may as well join."""
        is_free = self._blocked == 0 and self._token is None and not self._is_closed
        return is_free and self._vain_alone < _MOST_VAIN_BLOCKS

    def join(self, futures: Sequence[Future[Any]], *, blocks: bool = True) -> str | None:
        """The FIFO that is written to once all of these are done; `None` if they are already.

        Also `None` where no FIFO can be made: then whoever needs the answers has to block. Without
        `blocks`, they are known to take a while.
        """
        if self.block(futures) if blocks else all(each.done() for each in futures):
            return None
        with self._lock:
            if self._is_closed:
                return None
            self._pending += futures
            self._joined = time.monotonic()
            if self._token is None:
                try:
                    self._token = self._begin()
                except OSError:
                    self._pending.clear()
            return self._token

    def end(self, token: str) -> None:
        """Remove a FIFO whose process has ended."""
        with self._lock:
            writer = self._writers.pop(token, None)
        if writer is not None:
            with suppress(OSError):
                (self._directory / token).unlink()
            os.close(writer)

    def close(self) -> None:
        """End all waits, and with them the processes that wait."""
        with self._lock:
            self._is_closed = True
            tokens = list(self._writers)
        for token in tokens:
            self.end(token)

    def _begin(self) -> str:
        token = uuid.uuid4().hex
        path = self._directory / token
        os.mkfifo(path, 0o600)
        # Opened for both, so that it has a writer before it has a reader, and nobody waits here.
        self._writers[token] = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        threading.Thread(target=self._release, args=(token,), daemon=True).start()
        return token

    def _release(self, token: str) -> None:
        latest = time.monotonic() + _LONGEST_SETTLE_SECONDS
        while (seconds := self._settle(latest)) is not None:
            time.sleep(seconds)
            wait(self._still_pending())
        with self._lock:
            # Under the lock, or the descriptor might be another file's by now.
            if token in self._writers:
                os.write(self._writers[token], b"\n")

    def _settle(self, latest: float) -> float | None:
        """For how long others may join before it is looked again; `None` where nobody may."""
        with self._lock:
            seconds = min(self._joined + _SETTLE_SECONDS, latest) - time.monotonic()
            pending = any(not future.done() for future in self._pending)
            if pending or (seconds > 0 and not self._is_closed):
                return max(seconds, 0)
            self._pending.clear()
            self._token = None
            return None

    def _still_pending(self) -> list[Future[Any]]:
        with self._lock:
            self._pending = [future for future in self._pending if not future.done()]
            return list(self._pending)
