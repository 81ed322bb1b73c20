"""What other processes and threads do: who runs for whom, and a wait until something has happened.

Processes are read from `/proc`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SOON = 300.0
"""How many seconds a test waits for what happens at once. Only what hangs takes so long."""


def descendants(ancestor: int) -> list[int]:
    """All processes below one, parents first."""
    children: dict[int, list[int]] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            above = parent(int(directory.name))
        except OSError:
            continue
        children.setdefault(above, []).append(int(directory.name))
    found, pending = [], [ancestor]
    while pending:
        below = children.get(pending.pop(0), [])
        found += below
        pending += below
    return found


def parent(pid: int) -> int:
    """The process that started one, or took it over. Raises `OSError` if there is none."""
    return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def command_line(pid: int) -> list[str]:
    """What a process was started with; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def has_ended(pid: int) -> bool:
    """Whether nothing of a process is left but perhaps its exit code."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill_with_descendants(pid: int) -> list[int]:
    """Kill a process and all below it, of which none can start another one meanwhile.

    Gives those that were killed.
    """
    stopped: list[int] = []
    found = [pid]
    while found:
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        stopped += found
        found = [each for each in descendants(pid) if each not in stopped]
    for each in stopped:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return stopped


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another process or thread does."""
    deadline = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
