"""Run a program of the user's, and keep what it prints: no more than anybody needs of it."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

MAX_OUTPUT = 1 << 20
"""No secret is so long: BuildKit takes half of that, and registries far less."""

_MAX_COMPLAINT = 1 << 16
_CHUNK = 1 << 16


class TooMuchOutputError(Exception):
    """A program printed more than `MAX_OUTPUT` bytes, and was killed."""

    finding = f"printed more than {MAX_OUTPUT} bytes"


@dataclass(frozen=True)
class ProgramOutput:
    """How a program ended, what it printed, and the beginning of its complaints."""

    exit_code: int
    printed: bytes
    complaint: bytes


def run_program(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float, given: bytes = b""
) -> ProgramOutput:
    """Run a program to its end, with `given` as its input. It is killed when time is over.

    Raises `OSError` where it does not run, `TimeoutError` and `TooMuchOutputError`.
    """
    with subprocess.Popen(
        arguments,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            return _follow(process, time.monotonic() + seconds, given)
        except BaseException:
            process.kill()
            raise


def _follow(process: subprocess.Popen[bytes], deadline: float, given: bytes) -> ProgramOutput:
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
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            if len(printed) > MAX_OUTPUT:
                raise TooMuchOutputError
            del complaint[_MAX_COMPLAINT:]
    try:
        exit_code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as e:
        raise TimeoutError from e
    return ProgramOutput(exit_code, bytes(printed), bytes(complaint))
