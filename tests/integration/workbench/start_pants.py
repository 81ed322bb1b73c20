"""Pants, which makes an engine to install plugins only where some are named.

Before it does anything else, Pants 2.17 makes a scheduler with its whole Python backend, for what
`[GLOBAL].plugins` may name: 6 of the 8 seconds of processor time that a start takes. Pants 2.34
makes it when something has to be resolved (`PluginResolver`), and so do those started here.

With `--serve`, the number of a listening socket and the name of a module with rules, this is a
process that has imported Pants and that module, and becomes a Pants for each request there, or a
daemon that one of these wants: see `ready_pants`. With `--ask` and the path of such a socket, the
Pants of this request has the standard streams of this process, which ends as it does.

With `--serve-builds`, the number of such a socket and where the plugin lies, this has imported what
builds need, and becomes the build server of each session whose Pants asks for it.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

SERVE, SERVE_BUILDS, ASK = "--serve", "--serve-builds", "--ask"
TERMINAL, BUILD_SERVERS = "terminal", "build servers"
"""What a request can want: its standard streams as its terminal, its build servers forked."""

BUILDS = "builds"
"""The name of the socket for build servers, beside that for requests."""


def main() -> None:
    """Become Pants: a client of a daemon, a daemon, or one without."""
    if sys.argv[1:2] == [ASK]:
        sys.exit(_ask(sys.argv[2], sys.argv[3:]))
    # Python put the directory of this file there, and Pants hands it on to its daemon.
    del sys.path[0]
    if sys.argv[1:2] == [SERVE_BUILDS]:
        sys.path.insert(0, sys.argv[3])
        _fork_build_servers(socket.socket(fileno=int(sys.argv[2])))
        return
    if sys.argv[1:2] == [SERVE]:
        _import_all(sys.argv[3])
        _make_engine_for_plugins_late()
        _fork_for_requests(socket.socket(fileno=int(sys.argv[2])))
    # A client makes no engine, and imports little.
    elif _has_no_daemon() or "PANTS_DAEMON_ENTRYPOINT" in os.environ:
        _make_engine_for_plugins_late()
    from pants.bin import pants_loader

    pants_loader.main()


def send_request(
    path: str,
    arguments: Sequence[str],
    directory: str,
    environment: Mapping[str, str],
    streams: Sequence[int],
    wants: Sequence[str] = (),
) -> socket.socket:
    """Ask for a Pants with these standard streams, in a session of its own.

    The answer is a line with its process number and, when it ended, one with its exit code, which
    is negative for a signal.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    request = {
        "arguments": list(arguments),
        "directory": directory,
        "environment": dict(environment),
        "wants": list(wants),
    }
    socket.send_fds(connection, [b"\n"], streams)
    connection.sendall(f"{json.dumps(request)}\n".encode())
    return connection


def _ask(path: str, arguments: Sequence[str]) -> int:
    connection = send_request(path, arguments, os.getcwd(), os.environ, (0, 1, 2))
    _, exit_code = connection.makefile()
    return int(exit_code)


def _has_no_daemon() -> bool:
    return "--no-pantsd" in sys.argv or os.environ.get("PANTS_PANTSD") == "false"


def _import_all(module: str) -> None:
    """What a run of Pants imports, with a daemon or without, and what rules are read from.

    Three of the four seconds of a daemon's start, and most of any other's, are spent here once.
    """
    # All of it is kept.
    gc.disable()
    import pants.backend.project_info.register
    import pants.bin.local_pants_runner
    import pants.bin.remote_pants_runner
    import pants.core.register
    import pants.pantsd.pants_daemon

    # Pants remembers what it makes of classes and functions.
    pants.core.register.rules()
    pants.backend.project_info.register.rules()
    import_module(module).rules()
    # What is here now is not looked at, and thereby copied, by the forks.
    gc.collect()
    gc.freeze()
    gc.enable()


def _fork_for_requests(server: socket.socket) -> None:
    """Returns in the processes that are to become Pants.

    This one has no thread, so that it may fork. It ends with its standard input, a pipe from tests.
    """
    # Nobody waits for those that keep a Pants.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([0, server], [], [])
        if 0 in ready:
            sys.exit()
        connection, _ = server.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            path = server.getsockname()
            server.close()
            _keep_one(path, connection)
            return
        connection.close()


def _keep_one(path: str, connection: socket.socket) -> None:
    """Fork once more for the request on a connection, and answer it. Returns in the new process."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as lines:
        request = json.loads(lines.readline())
    pid = os.fork()
    if not pid:
        connection.close()
        _take_over(request, streams)
        wants = request["wants"]
        # A daemon has nobody's terminal.
        of_daemon = [each for each in wants if each != TERMINAL]
        setattr(os, "spawnve", partial(_spawn_daemon, path, of_daemon))  # noqa: B010
        if BUILD_SERVERS in wants:
            _ask_for_build_servers(os.path.join(os.path.dirname(path), BUILDS))
        return
    for each in (0, 1, 2, *streams):
        os.close(each)
    # Whoever asked may have ended, or want no answer.
    with suppress(OSError):
        connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    with suppress(OSError):
        connection.sendall(f"{exit_code}\n".encode())
    os._exit(0)


def _spawn_daemon(
    path: str,
    wants: Sequence[str],
    _: int,
    __: str,
    command: Sequence[str],
    env: Mapping[str, str],
) -> None:
    """In place of `os.spawnve`, by which a client of Pants starts its daemon and nothing else."""
    send_request(path, command[2:], os.getcwd(), env, (0, 1, 2), wants).close()


def _ask_for_build_servers(path: str) -> None:
    """Let a session of this Pants have its build server from there."""
    from pants_docker_buildkit.session import build_server

    instead = SimpleNamespace(Popen=partial(_ForkedBuildServer, path), DEVNULL=subprocess.DEVNULL)
    setattr(build_server, "subprocess", instead)  # noqa: B010


class _ForkedBuildServer:
    """With what the plugin wants of its `subprocess.Popen`."""

    def __init__(self, path: str, _: Sequence[str], *, stdin: int, **__: Any) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        socket.send_fds(self._connection, [b"\n"], [stdin])

    def wait(self) -> None:
        self._connection.recv(1)


def _fork_build_servers(server: socket.socket) -> None:
    """Returns in processes that were build servers, and where nobody is left to ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([0, server], [], [])
        if 0 in ready:
            return
        connection, _ = server.accept()
        # Not before somebody asks: many tests build nothing.
        from pants_docker_buildkit.session.directory import PROCESS_PATH
        from pants_docker_buildkit.solver.build_server import serve

        if not os.fork():
            server.close()
            _, (stdin,), _, _ = socket.recv_fds(connection, 1, 1)
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDWR)
            for number, stream in enumerate((stdin, nothing, nothing)):
                os.dup2(stream, number)
            os.close(stdin)
            os.environ.clear()
            os.environ["PATH"] = PROCESS_PATH
            serve()
            return
        connection.close()


def _take_over(request: dict[str, Any], streams: Sequence[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if TERMINAL in request["wants"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # As Python itself would have them.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]


def _make_engine_for_plugins_late() -> None:
    from pants.init import options_initializer
    from pants.init.plugin_resolver import PluginResolver, ResolvedPluginDistributions

    make, resolve = options_initializer.create_bootstrap_scheduler, PluginResolver._resolve_plugins

    class LateScheduler:
        def __init__(self, *arguments: Any) -> None:
            self._arguments = arguments

        @cached_property
        def scheduler(self) -> Any:
            return make(*self._arguments).scheduler

    def resolve_named(
        resolver: PluginResolver, bootstrapper: Any, *arguments: Any
    ) -> ResolvedPluginDistributions:
        if not bootstrapper.bootstrap_options.for_global_scope().plugins:
            return ResolvedPluginDistributions()
        return resolve(resolver, bootstrapper, *arguments)

    setattr(options_initializer, "create_bootstrap_scheduler", LateScheduler)  # noqa: B010
    setattr(PluginResolver, "_resolve_plugins", resolve_named)  # noqa: B010


if __name__ == "__main__":
    main()
