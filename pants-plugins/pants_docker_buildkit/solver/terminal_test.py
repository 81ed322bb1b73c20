from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.solver import terminal

_ROOT = Path(terminal.__file__).absolute().parents[2]
_SECONDS = 30.0

# Starts the program in a process group of its own, as Pants 2.33 does, and then reads itself.
_PANTS = """\
import os, subprocess, sys
code = subprocess.call([sys.executable, *sys.argv[1:]], preexec_fn=os.setpgrp)
print("ended with", code, flush=True)
print("Pants has", input(), flush=True)
"""
_CONTAINER = """\
import os, sys, time
sys.path.insert(0, {root!r})
from pants_docker_buildkit.solver import terminal
{first}
terminal.take_terminal()
os.execv("/bin/sh", ["sh", "-c", {script!r}])
"""
# The process that stays behind gets no processor for a while.
_IS_LATE = """\
def wait_late(*arguments, wait=terminal._wait):
    time.sleep(1)
    wait(*arguments)
terminal._wait = wait_late
"""
_BUILD = """\
import sys
sys.path.insert(0, {root!r})
from pants_docker_buildkit.solver.terminal import never_stop
never_stop()
try:
    open("/dev/tty").readline()
except OSError as e:
    print("no answer:", e.strerror, flush=True)
"""


class Session:
    """A terminal with Pants as its job, which starts one program."""

    def __init__(self, program: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PANTS, "-c", program],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_as_controlling,
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} is not on {self.screen!r}"
            try:
                self.screen += os.read(self._ours, 1 << 16).decode()
            except BlockingIOError:
                time.sleep(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


def _take_as_controlling() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def started() -> Iterator[list[Session]]:
    sessions: list[Session] = []
    yield sessions
    for session in sessions:
        session.close()


def test_a_container_reads_the_terminal_and_pants_has_it_again(started: list[Session]) -> None:
    script = "stty echo; read line; echo container has $line; exit 7"
    session = Session(_CONTAINER.format(root=str(_ROOT), first="", script=script))
    started.append(session)
    session.type("one\n")
    session.wait_for("container has one")
    session.wait_for("ended with 7")
    session.type("two\n")
    session.wait_for("Pants has two")


@pytest.mark.parametrize("first", ["", _IS_LATE], ids=["at once", "late"])
def test_what_is_typed_to_interrupt_reaches_the_container(
    started: list[Session], first: str
) -> None:
    script = "trap 'echo interrupted; exit 42' INT; echo ready; read line"
    session = Session(_CONTAINER.format(root=str(_ROOT), first=first, script=script))
    started.append(session)
    session.wait_for("ready")
    session.type("\x03")
    session.wait_for("interrupted")
    session.wait_for("ended with 42")


def test_a_build_that_asks_on_the_terminal_gets_no_answer_and_goes_on(
    started: list[Session],
) -> None:
    session = Session(_BUILD.format(root=str(_ROOT)))
    started.append(session)
    session.wait_for("no answer: Input/output error")
    session.wait_for("ended with 0")
