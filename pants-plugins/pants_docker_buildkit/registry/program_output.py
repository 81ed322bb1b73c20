"""Run a program of the user's, and keep what it prints: no more than anybody needs of it."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

MAX_OUTPUT = 1 << 20
"""No secret is so long: BuildKit takes half of that, and registries far less."""

_MAX_COMPLAINT = 1 << 16
_CHUNK = 1 << 16
_LOOK_SECONDS = 0.2
"""How long a program that is silent is left alone, before it is looked whether it has ended."""

# How the report begins that a program in Go ends with when it crashes, before all of its stacks.
_CRASH = re.compile(r"((?:^.+\n){1,4})\n(?:goroutine \d+ .*\[.*\]:|runtime stack:)$", re.MULTILINE)


class ProgramError(Exception):
    """A program gave no answer, and was killed if it ran. `finding` says why, after its name."""

    def __init__(self, finding: str) -> None:
        self.finding = finding
        super().__init__(finding)


@dataclass(frozen=True)
class Limits:
    """How many seconds a program may run, and how many bytes it may print.

    It may not run on after `is_over` was set, which is when nobody waits for it any more.
    """

    seconds: float
    most_bytes: int = MAX_OUTPUT
    is_over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)


@dataclass(frozen=True)
class ProgramOutput:
    """How a program ended, what it printed, and the end of its complaints."""

    exit_code: int
    printed: bytes
    complaint: bytes


def shorten_crash(complaint: str, program: str) -> str:
    """Why a program in Go crashed, in place of its report. Other complaints are as they were."""
    crash = _CRASH.search(complaint)
    if crash is None:
        return complaint
    # Each thread that fails says so.
    reason = "; ".join(dict.fromkeys(crash[1].splitlines()))
    return (
        f"{program} crashed ({reason}). Run this again, and allow more memory or threads where they"
        " are limited (see `ulimit -a`)."
    )


def find_program(name: str, environment: Mapping[str, str]) -> str:
    """The path of a program, by name or path, as the user's environment finds it.

    Raises `ProgramError`.
    """
    found = shutil.which(name, path=environment.get("PATH", os.defpath))
    if found is None and "/" in name:
        raise ProgramError("is no executable file")
    if found is None:
        raise ProgramError("is not on '[docker-buildkit].executable_search_paths'")
    return found


def run_program(
    words: Sequence[str],
    environment: Mapping[str, str],
    limits: Limits,
    given: bytes = b"",
    *,
    directory: Path | None = None,
) -> ProgramOutput:
    """Run a command to its end, with `given` as its input; it may fail.

    It is killed at its limits. Raises `ProgramError`, also where somebody else kills it.
    """
    try:
        with subprocess.Popen(
            [find_program(words[0], environment), *words[1:]],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                output = _follow(process, limits, given)
            except BaseException:
                process.kill()
                raise
    except (TimeoutError, subprocess.TimeoutExpired) as e:
        raise ProgramError(f"gave no answer in {limits.seconds:.0f} s") from e
    except OSError as e:
        raise ProgramError(f"does not run: {e.strerror or e}") from e
    if output.exit_code < 0:
        name = _signal_name(-output.exit_code)
        raise ProgramError(f"was killed ({name}), by somebody or because memory ran out")
    said = output.complaint.decode("utf-8", "surrogateescape")
    said = shorten_crash(said, Path(words[0]).name)
    return replace(output, complaint=said.encode("utf-8", "surrogateescape"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _follow(process: subprocess.Popen[bytes], limits: Limits, given: bytes) -> ProgramOutput:
    deadline = time.monotonic() + limits.seconds
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # A program that does not read its input hangs up.
    with suppress(BrokenPipeError):
        process.stdin.write(given)
        process.stdin.close()
    printed, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, printed)
        selector.register(process.stderr, selectors.EVENT_READ, complaint)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(min(left, _LOOK_SECONDS)) if left > 0 else []
            if not ready and process.poll() is not None:
                # What it left in the background, as a tunnel, has its output still open.
                break
            if not ready and left <= 0:
                raise TimeoutError
            if limits.is_over.is_set():
                raise ProgramError("was stopped, because the command that needs it has ended")
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            if len(printed) > limits.most_bytes:
                raise ProgramError(f"printed more than {limits.most_bytes} bytes")
            del complaint[:-_MAX_COMPLAINT]
    exit_code = process.wait(max(0.0, deadline - time.monotonic()))
    return ProgramOutput(exit_code, bytes(printed), bytes(complaint))
