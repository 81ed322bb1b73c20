"""Work with a terminal from a process group that Pants has put into its background.

From 2.33 on Pants starts each program in a process group of its own, but in its own session.
Without pantsd that session has the user's terminal, which stops (SIGTTIN, SIGTTOU) what reads from
it, or sets its modes, in another group than its foreground. Earlier versions start sessions, whose
processes are no jobs of that terminal.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

_STANDARD_INPUT = 0
# What a terminal, or Pants, sends to a group.
_FOR_THE_CHILD = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def never_stop() -> None:
    """Let a question on the terminal fail, here and in what this process starts, not stop it."""
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def take_terminal() -> None:
    """Return in the foreground, where Pants has the foreground and this process could not read.

    Then it is a child that returns. The process that called stays behind for the terminal: it gives
    it back to Pants when the child ends, and ends as that does.
    """
    holder = _group_of_pants_in_foreground()
    if holder is None:
        return
    # From the first moment there are two of this group, and only one is interrupted.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_CHILD)
    child = os.fork()
    if child:
        _wait(child, holder)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _set_foreground(os.getpgrp())


def _group_of_pants_in_foreground() -> int | None:
    """The process group to give the terminal back to. None where there is nothing to take."""
    try:
        holder = os.tcgetpgrp(_STANDARD_INPUT)
        pants = os.getpgid(os.getppid())
    except OSError:
        # No terminal, or none of this session.
        return None
    return holder if holder == pants != os.getpgrp() else None


def _wait(child: int, holder: int) -> NoReturn:
    for number in _FOR_THE_CHILD:
        signal.signal(number, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    _set_foreground(holder)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _set_foreground(group: int) -> None:
    # One who is in the background is stopped for it, unless the signal is ignored.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(_STANDARD_INPUT, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
