"""Wait for registries without keeping Pants from doing anything else.

A rule that blocks holds one of the few threads that run rules, so a thousand rules that each wait
for a registry would wait one after the other. Only a process is waited for without a thread, so the
rules wait together for a process that ends when a file appears; a thread of ours makes the file.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

_SETTLE_SECONDS = 0.02
_POLL_SECONDS = 0.005
_PATIENT_WAITS = 4
_PATIENCE_SECONDS = 0.05


class RegistryWaits:
    """The waits of one session, below its directory `waits`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: str | None = None
        self._pending: list[Future[Any]] = []
        self._patient_waits_left = _PATIENT_WAITS

    def join(self, futures: Sequence[Future[Any]], directory: Path) -> str | None:
        """A token whose file appears once all of these are done; `None` if they are already.

        A session that only asks a few questions blocks for their answers: starting a process takes
        longer than a registry.
        """
        with self._lock:
            is_patient = self._patient_waits_left > 0
            self._patient_waits_left -= 1
        if not wait(futures, timeout=_PATIENCE_SECONDS if is_patient else 0).not_done:
            return None
        with self._lock:
            self._pending += futures
            if self._token is None:
                self._token = uuid.uuid4().hex
                arguments = (self._token, directory)
                threading.Thread(target=self._release, args=arguments, daemon=True).start()
            return self._token

    def _release(self, token: str, directory: Path) -> None:
        time.sleep(_SETTLE_SECONDS)
        while not self._close_if_done():
            time.sleep(_POLL_SECONDS)
        try:
            (directory / token).touch()
        except OSError:
            # The session is over, and so is the process that waited.
            return

    def _close_if_done(self) -> bool:
        with self._lock:
            self._pending = [future for future in self._pending if not future.done()]
            if self._pending:
                return False
            self._token = None
            return True
