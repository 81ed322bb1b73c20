"""Let rules wait for registries together, without keeping a thread of Pants.

A rule that blocks holds one of the few threads that run rules, so a thousand rules that each wait
for a registry would wait one after the other. What rules can wait for without a thread of theirs is
what Pants does itself, such as reading a file. So they wait together for Pants to read one that is
a pipe: it has an end, and nothing before that, once the answers are there.
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

_SETTLE_SECONDS = 0.01
"""In which other rules may join a wait."""

_BLOCK_SECONDS = 0.02
_MOST_VAIN_BLOCKS = 4
_OPEN_FILES = "/proc/self/fd"


class Waits:
    """The waits of one session, each a link in `directory` to the pipe that is read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._url: str | None = None
        self._pending: list[Future[Any]] = []
        self._read_ends: dict[str, int] = {}
        self._write_ends: dict[str, int] = {}
        self._place: str | None = None
        self._opened: int | None = None
        self._is_closed = False
        self._vain_blocks = 0

    def join(self, futures: Sequence[Future[Any]], *, blocks: bool = True) -> str | None:
        """The URL of an empty file that Pants has read once all of these are done.

        `None` if they are already, and where there can be no pipe, or no more thread: then whoever
        needs the answers has to block. Blocks for a moment itself, in which a registry that is near
        answers. Without `blocks`, the answers are known to take a while.
        """
        if self._block(futures) if blocks else all(each.done() for each in futures):
            return None
        with self._lock:
            if self._is_closed:
                return None
            self._pending += futures
            if self._url is None:
                try:
                    self._url = self._begin()
                except (OSError, RuntimeError):
                    self._pending.clear()
            return self._url

    def end(self, url: str) -> None:
        """Remove what Pants has read."""
        with self._lock:
            self._release(url)
            read_end = self._read_ends.pop(url, None)
            if read_end is not None:
                os.close(read_end)
                with suppress(OSError):
                    (self._directory / url.rpartition("/")[2]).unlink()

    def close(self) -> None:
        """End all waits."""
        with self._lock:
            self._is_closed = True
            urls = list(self._read_ends)
        for url in urls:
            self.end(url)
        with self._lock:
            if self._opened is not None:
                os.close(self._opened)
                self._opened = None

    def _block(self, futures: Sequence[Future[Any]]) -> bool:
        """Whether the answers are there, perhaps after a moment.

        A session whose registries are far finds that out, and then blocks no more.
        """
        seconds = _BLOCK_SECONDS if self._vain_blocks < _MOST_VAIN_BLOCKS else 0
        is_done = not wait(futures, seconds).not_done
        if seconds and not is_done:
            with self._lock:
                self._vain_blocks += 1
        return is_done

    def _begin(self) -> str:
        if self._place is None:
            self._place = self._find_place()
        # Pants remembers what it has read from a URL, so there is never the same again.
        name = uuid.uuid4().hex
        read_end, write_end = os.pipe()
        try:
            # A pipe with a name of its own would make who opens it too late wait for a writer.
            os.symlink(f"/dev/fd/{read_end}", self._directory / name)
            url = f"file://{self._place}/{name}"
            threading.Thread(target=self._await_all, args=(url,), daemon=True).start()
        except (OSError, RuntimeError):
            os.close(read_end)
            os.close(write_end)
            raise
        self._read_ends[url], self._write_ends[url] = read_end, write_end
        return url

    def _find_place(self) -> str:
        """The directory by its number: Pants does not decode what a URL has to encode."""
        if not os.path.isdir(_OPEN_FILES):
            return str(self._directory)
        self._opened = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        return f"{_OPEN_FILES}/{self._opened}"

    def _await_all(self, url: str) -> None:
        time.sleep(_SETTLE_SECONDS)
        while pending := self._still_pending():
            wait(pending)
        with self._lock:
            self._release(url)

    def _release(self, url: str) -> None:
        write_end = self._write_ends.pop(url, None)
        if write_end is not None:
            os.close(write_end)

    def _still_pending(self) -> list[Future[Any]]:
        with self._lock:
            self._pending = [future for future in self._pending if not future.done()]
            if not self._pending:
                self._url = None
            return list(self._pending)
