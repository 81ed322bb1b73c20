"""Become a build for each build process that asks: `session/build_server.py` starts it.

Each build is a child of its own, in a session of its own, that has nothing of another build. It
ends as the process that asked for it ends.
"""

from __future__ import annotations

import codecs
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.oci.json_values import prepare

# All that a build needs is here before anybody asks.
from pants_docker_buildkit.session.build_request import (
    ACCEPTED,
    LEAVE,
    MAX_MESSAGE,
    SERVE,
    parse_request,
)
from pants_docker_buildkit.session.profile import BuildSettings, Profile
from pants_docker_buildkit.session.unix_socket import accept
from pants_docker_buildkit.solver import build_process, pushed_image  # noqa: F401
from pants_docker_buildkit.solver.definition import BuildJob
from pants_docker_buildkit.solver.errors import EXIT_FAILED, EXIT_INTERRUPTED
from pants_docker_buildkit.solver.main import main

_STANDARD_INPUT = 0
_LONGEST = max(len(SERVE), len(LEAVE))
_IDLE_SECONDS = 600.0
"""How long it stays without a session that builds."""

_PATIENCE_SECONDS = 3.0
"""How long an interrupted build may take to end. Pants waits as long for its processes."""


def serve() -> None:
    """Answer in each session that is heard of at the standard input, until that ends."""
    signal.signal(signal.SIGCHLD, _reap)
    # What the first use of it imports or reads, each build would.
    codecs.lookup("idna")
    prepare(Profile, BuildSettings, BuildJob, Builder)
    gc.collect()
    gc.freeze()
    pants = socket.socket(fileno=_STANDARD_INPUT)
    while True:
        listener = _await_session(pants)
        if listener is None:
            return
        with listener:
            _serve_session(listener, pants)


def _await_session(pants: socket.socket) -> socket.socket | None:
    """Where the next session asks; `None` once there is none for long, or will be none."""
    # Sessions that build nothing say that they end, too, which makes it stay no longer.
    end = time.monotonic() + _IDLE_SECONDS
    while select.select([pants], [], [], max(0.0, end - time.monotonic()))[0]:
        message, descriptors, _, _ = socket.recv_fds(pants, _LONGEST, 1)
        if descriptors:
            return socket.socket(fileno=descriptors[0])
        if not message:
            break
    return None


def _serve_session(listener: socket.socket, pants: socket.socket) -> None:
    """Answer until Pants has something to say."""
    while pants not in select.select([pants, listener], [], [])[0]:
        # Whoever hears nothing builds without.
        with suppress(OSError), accept(listener) as connection:
            if os.fork() == 0:
                listener.close()
                _become_build(connection)


def _reap(_number: int, _frame: object) -> None:
    """Let builds go that ended. They say themselves how; what they took is only counted here."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _become_build(connection: socket.socket) -> NoReturn:
    code = EXIT_FAILED
    try:
        arguments = _take_over(connection)
        threading.Thread(target=_watch, args=(connection,), daemon=True).start()
        code = main(*arguments)
    except KeyboardInterrupt:
        pass
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            connection.send(b"%d" % code)
        finally:
            if code == EXIT_INTERRUPTED:
                # Nobody else knows of a program that was just being started.
                os.killpg(0, signal.SIGKILL)
            os._exit(code)


def _take_over(connection: socket.socket) -> list[str]:
    """Be where the process is that asks, and print where it prints. Gives its arguments."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Whoever started Pants may have had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whoever waits no longer builds itself.
    connection.send(ACCEPTED)
    message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE, 2)
    directory, arguments, environment = parse_request(message)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, *descriptors)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environb.clear()
    os.environb.update(environment)
    os.chdir(directory)
    return [os.fsdecode(each) for each in arguments]


def _watch(connection: socket.socket) -> None:
    """Once the process that asked has ended, or was interrupted, this and its buildx end."""
    with suppress(OSError):
        connection.recv(1)
    os.killpg(0, signal.SIGINT)
    time.sleep(_PATIENCE_SECONDS)
    os.killpg(0, signal.SIGKILL)
