"""Notice the files that processes make in a directory of the session, and act on them."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.02


class FileWatch:
    """Calls back, once each, when files appear in a directory that is made on first use.

    The directory has a name of its own in that of the session, because the next session of the
    same Pants process has the same directory, and must not wake what this one left behind. It goes
    with the session's, and the watch ends.
    """

    def __init__(self, prefix: str) -> None:
        self._name = f"{prefix}-{uuid.uuid4().hex}"
        self._callbacks: dict[str, Callable[[Path], None]] = {}
        self._directory: Path | None = None
        self._lock = threading.Lock()

    def call_when(self, file: str, session: Path, callback: Callable[[Path], None]) -> Path:
        """Call with the file's path when it appears in the directory, which is given."""
        with self._lock:
            self._callbacks[file] = callback
            if self._directory is None:
                self._directory = session / self._name
                self._directory.mkdir(mode=0o700)
                arguments = (self._directory,)
                threading.Thread(
                    target=self._watch, args=arguments, name=self._name, daemon=True
                ).start()
            return self._directory

    def _watch(self, directory: Path) -> None:
        while True:
            try:
                appeared = os.listdir(directory)
            except OSError:
                return
            with self._lock:
                callbacks = {
                    name: self._callbacks.pop(name) for name in appeared if name in self._callbacks
                }
            for name, callback in callbacks.items():
                callback(directory / name)
            time.sleep(_POLL_SECONDS)
