"""Reach the BuildKit inside a Docker Engine as a `remote` builder.

buildx keeps the `docker` driver from pushing by digest and from rewriting timestamps, although the
BuildKit behind it can do both. The engine offers that BuildKit on `POST /grpc`, where it upgrades
the connection to HTTP/2 (https://github.com/moby/moby/blob/master/api/swagger.yaml, `Session`). A
private Unix socket passes each connection on to there, and a `remote` builder is pointed at it.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Optional

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.session.unix_socket import accept, short_path, start_thread
from pants_docker_buildkit.solver.builder_template import add_remote_builder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import EngineUnreachableError
from pants_docker_buildkit.solver.turned_away import TURNED_AWAY_SECONDS, is_turned_away, pause

BUILDER_NAME = "pants-docker-buildkit"

_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_CHUNK = 1 << 16
_NODE_IDENTITY_FILE = ".buildNodeID"
_UNIX = "unix://"
_DIAL_ENGINE = ("system", "dial-stdio")
_END_SECONDS = 5.0

Dial = Callable[[], socket.socket]


@dataclass(frozen=True)
class Engine:
    """A Docker Engine: its address, and the name of the builder that buildx has for it."""

    host: str
    builder: str


def buildkit_dialer(docker: DockerCli, engine: Engine) -> Dial:
    """What opens a connection to the BuildKit of an engine.

    For anything but a Unix socket a program of Docker does, which knows about TLS and SSH.
    """
    if engine.host.startswith(_UNIX):
        return lambda: _upgrade(_connect(engine.host[len(_UNIX) :]))
    if docker.is_standalone_buildx:
        dial = ("buildx", "dial-stdio", "--builder", engine.builder)
        return lambda: _connect_through(docker, dial).connection
    return partial(_upgrade_through, docker)


def engine_dialer(docker: DockerCli) -> Dial:
    """What opens a connection to the engine that the CLI talks to, wherever that is."""
    return lambda: _connect_through(docker, _DIAL_ENGINE).connection


@contextmanager
def listening(dial: Dial, directory: Path) -> Iterator[str]:
    """The path of a Unix socket that passes each connection on to another one.

    `directory` is private, and there for as long as the block runs.
    """
    with socket.socket(socket.AF_UNIX) as listener, short_path(directory / "engine.sock") as path:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=_serve, args=(listener, dial), daemon=True).start()
        try:
            yield path
        finally:
            # On Linux, closing a socket does not wake up the thread that waits for its connections.
            # On macOS it does, and nothing can be shut down that is not connected.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def bridged_builder(
    docker: DockerCli, engine: Engine, directory: Path, node_identity: str, template: Path
) -> Iterator[DockerCli]:
    """The CLI with a builder `BUILDER_NAME` that is the BuildKit of an engine.

    `directory` is private to this build; the builder's configuration lies there and goes with it.
    By `node_identity` BuildKit finds what this machine sent before. `template` is for
    `add_remote_builder`.
    """
    dial = buildkit_dialer(docker, engine)
    _probe(dial, engine.host)
    with listening(dial, directory) as path:
        configuration = directory / "buildx"
        configuration.mkdir(mode=0o700)
        (configuration / _NODE_IDENTITY_FILE).write_text(node_identity)
        bridged = docker.with_buildx_config(configuration)
        add_remote_builder(bridged, BUILDER_NAME, f"{_UNIX}{path}", template)
        yield bridged


def _probe(dial: Dial, host: str) -> None:
    """Fail early, with the engine's name, rather than in the middle of buildx."""
    try:
        dial().close()
    except OSError as e:
        raise EngineUnreachableError(redact(host), str(e)) from e


def _serve(listener: socket.socket, dial: Dial) -> None:
    while True:
        try:
            client = accept(listener)
        except OSError:
            return
        start_thread(_pass_on, client, dial)


def _pass_on(client: socket.socket, dial: Dial) -> None:
    with client:
        try:
            engine = dial()
        except OSError:
            return
        with engine:
            upstream = threading.Thread(target=_pump, args=(client, engine), daemon=True)
            upstream.start()
            _pump(engine, client)
            upstream.join()


def _upgrade(engine: socket.socket) -> socket.socket:
    """Turn a connection to the engine into one to its BuildKit, or close it."""
    try:
        engine.sendall(_UPGRADE)
        status = _read_head(engine).split(b"\r\n", 1)[0].decode("ascii", "replace")
        if " 101 " not in f"{status} ":
            raise ConnectionError(f"it answered {status!r}")
    except OSError:
        engine.close()
        raise
    return engine


def _read_head(engine: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte, because what follows the head already belongs to BuildKit.
        byte = engine.recv(1)
        if not byte:
            raise ConnectionError("it closed the connection")
        head += byte
    return head


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone, so the other has nobody to talk to.
        for side in (source, sink):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


@dataclass(frozen=True)
class _Dialled:
    """A connection through a program, which runs for as long as it is open."""

    connection: socket.socket
    process: subprocess.Popen[bytes]


def _connect_through(
    docker: DockerCli, command: Sequence[str], said: Optional[IO[bytes]] = None
) -> _Dialled:
    """`said` is the file that gets what the program says."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        docker.arguments(command),
        env=dict(docker.environment),
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        stderr=subprocess.DEVNULL if said is None else said,
    )
    theirs.close()
    threading.Thread(target=process.wait, daemon=True).start()
    return _Dialled(ours, process)


def _upgrade_through(docker: DockerCli) -> socket.socket:
    """A connection to the BuildKit of the engine that the CLI talks to, wherever that is.

    A server that has too many at the moment is asked again.
    """
    deadline = time.monotonic() + TURNED_AWAY_SECONDS
    while True:
        with tempfile.TemporaryFile() as said:
            dialled = _connect_through(docker, _DIAL_ENGINE, said)
            try:
                return _upgrade(dialled.connection)
            except OSError as e:
                finding = _why_ended(dialled.process, said) or str(e)
                if not is_turned_away(finding) or time.monotonic() >= deadline:
                    raise ConnectionError(finding) from e
        pause()


def _why_ended(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """What a program said to its end; nothing where it goes on."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    said.seek(0)
    return said.read().decode("utf-8", "replace").strip()
