"""Pants in a terminal, as somebody who sits before it has it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time

from pants_docker_buildkit.testing.processes import SOON
from tests.integration.workbench.machine import Checkout

CONTROL_C = b"\x03"


class Terminal:
    """A terminal of `rows` and `columns` in which Pants runs. `screen` is what it has shown."""

    def __init__(
        self,
        checkout: Checkout,
        *arguments: str,
        rows: int,
        columns: int,
        draws_bars: bool = False,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = ""
        self._process = checkout.start(
            *arguments, pantsd=True, terminal=theirs, draws_bars=draws_bars
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def wait_for(self, text: str) -> None:
        """Until the screen has shown this."""
        deadline = time.monotonic() + SOON
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            assert self._read(), self.screen

    def finish(self) -> int:
        """Wait for the end, and give the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(SOON)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], SOON)
        assert ready, f"nothing happens: {self.screen}"
        try:
            data = os.read(self._ours, 4096)
        except OSError:
            # Linux says so when nobody has the other side any more.
            return False
        self.screen += data.decode("utf-8", "replace")
        return bool(data)
