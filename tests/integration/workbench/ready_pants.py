"""A Pants that has done its imports.

A start of Pants without its daemon takes 3 s of processor time, and one with it 4: most of it are
imports. They are spent once for all runs of a process of tests: a process that has imported
everything forks for each of them, and for their daemons. What they share is what was imported, and
the order of sets of strings.
"""

from __future__ import annotations

import atexit
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tests.integration.workbench import start_pants
from tests.integration.workbench.required import pants_command, plugin_sources


class Python(NamedTuple):
    """A process that forks. None has sets in the order of another one.

    One for repositories that name the plugin to resolve has not imported that of the sources.
    """

    number: int = 0
    has_plugin: bool = True


class Ended(NamedTuple):
    exit_code: int
    output: str


class StartedPants:
    """A Pants in a session of its own, with what tests want of `subprocess.Popen`."""

    def __init__(
        self, connection: socket.socket, stdin: BinaryIO | None, stdout: BinaryIO | None
    ) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._connection = connection
        # No more is read at once than is asked for, so that `select` says whether there is more.
        self._answers = connection.makefile("rb", buffering=0)
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code. Raises `subprocess.TimeoutExpired`."""
        exit_code = self._wait(timeout)
        if exit_code is None:
            raise subprocess.TimeoutExpired("pants", timeout or 0.0)
        return exit_code

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def communicate(self, given: bytes = b"", timeout: float | None = None) -> bytes:
        """Send the input, if it has one, and read on. Raises `subprocess.TimeoutExpired`."""
        if self.stdin is not None:
            self.stdin.write(given)
            self.stdin.close()
        assert self.stdout is not None
        deadline = None if timeout is None else time.monotonic() + timeout
        output = b""
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.stdout], [], [], left)[0]:
                raise subprocess.TimeoutExpired("pants", timeout or 0.0, output)
            data = os.read(self.stdout.fileno(), 1 << 16)
            if not data:
                self.wait(left)
                return output
            output += data

    def read_until(self, text: bytes) -> bytes:
        """What it says until it has said this. Fails if it ends before."""
        assert self.stdout is not None
        output = b""
        while text not in output:
            data = os.read(self.stdout.fileno(), 1 << 12)
            assert data, output
            output += data
        return output

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def close(self) -> None:
        """End it and what it started, if it still runs."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()
        self._answers.close()
        self._connection.close()
        for stream in (self.stdin, self.stdout):
            if stream is not None:
                stream.close()


def start_ready_pants(
    python: Python,
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    has_input: bool = False,
    terminal: int | None = None,
) -> StartedPants:
    """Start Pants with a terminal, or with pipes."""
    socket_path, where = _ready(python), str(directory)
    if terminal is not None:
        streams = (terminal, terminal, terminal)
        connection = start_pants.send_request(
            socket_path, arguments, where, environment, streams, (start_pants.TERMINAL,)
        )
        return StartedPants(connection, None, None)
    stdin, given = os.pipe() if has_input else (os.open(os.devnull, os.O_RDONLY), None)
    read, output = os.pipe()
    connection = start_pants.send_request(
        socket_path, arguments, where, environment, (stdin, output, output)
    )
    os.close(stdin)
    os.close(output)
    return StartedPants(
        connection, None if given is None else open(given, "wb"), open(read, "rb", buffering=0)
    )


def run_ready_pants(
    python: Python,
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    seconds: float,
) -> Ended:
    """Run Pants to its end. Fails if it takes longer than `seconds`.

    Its build servers are forked, too: tests that look at its processes start it.
    """
    socket_path = _ready(python)
    # A daemon that it starts may keep it open.
    with tempfile.NamedTemporaryFile(prefix="pants-output-") as output, open(os.devnull) as nothing:
        streams = (nothing.fileno(), output.fileno(), output.fileno())
        connection = start_pants.send_request(
            socket_path,
            arguments,
            str(directory),
            environment,
            streams,
            (start_pants.BUILD_SERVERS,) if python.has_plugin else (),
        )
        pants = StartedPants(connection, None, None)
        try:
            exit_code = pants.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"Pants did not end: {_text(output.name)}") from None
        finally:
            pants.close()
        return Ended(exit_code, _text(output.name))


def _text(path: str) -> str:
    return Path(path).read_text("utf-8", "replace")


def ready_pants_command(python: Python) -> tuple[str, ...]:
    """What a shell runs to have such a Pants."""
    program, script = pants_command()
    return program, "-IS", script, start_pants.ASK, _ready(python)


@cache
def _ready(python: Python) -> str:
    """The path of a socket for requests. Beside it is that for build servers."""
    module = (
        "pants_docker_buildkit.register" if python.has_plugin else "pants.backend.python.register"
    )
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    if python.has_plugin:
        environment["PYTHONPATH"] = str(plugin_sources())
    directory = tempfile.mkdtemp(prefix="pants-ready-", dir="/tmp")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = f"{directory}/socket"
    _serve(path, (*pants_command(), start_pants.SERVE), module, environment)
    if python.has_plugin:
        program, script = pants_command()
        command = (program, "-IS", script, start_pants.SERVE_BUILDS)
        _serve(
            f"{directory}/{start_pants.BUILDS}",
            command,
            str(plugin_sources()),
            {"PATH": "/usr/bin:/bin"},
        )
    return path


def _serve(
    path: str, command: Sequence[str], argument: str, environment: Mapping[str, str]
) -> None:
    """Have a process that listens at this socket, whose number it is told before the argument."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        process = subprocess.Popen(
            [*command, str(server.fileno()), argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment,
            pass_fds=[server.fileno()],
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    atexit.register(process.kill)
