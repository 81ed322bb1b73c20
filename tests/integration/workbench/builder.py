"""BuildKit reached in other ways than through the Docker Engine's own driver."""

from __future__ import annotations

import os
import select
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from tests.integration.workbench.base_image import plain_docker
from tests.integration.workbench.machine import Machine
from tests.integration.workbench.required import docker_host, docker_program

_CHUNK = 1 << 16


class BuildKitSocket:
    """A Unix socket with the engine's BuildKit behind it: what a `remote` builder connects to."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._processes: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Lose all connections, as a BuildKit that is killed. New ones are accepted."""
        for process in self._processes:
            process.kill()
            process.wait()

    def close(self) -> None:
        # Only a shutdown wakes the thread that waits in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._processes.append(_dial_buildkit(connection))


class BuildKitPort:
    """A TCP port with the engine's BuildKit behind it, for clients with a certificate only."""

    def __init__(self, certificates: TestCertificates) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.certificate_file, certificates.key_file)
        self._context.load_verify_locations(certificates.ca_file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._processes: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for process in self._processes:
            process.kill()
            process.wait()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        with connection, ours:
            try:
                client = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                theirs.close()
                return
            with client, suppress(OSError):
                with theirs:
                    self._processes.append(_dial_buildkit(theirs))
                _pass_on_both_ways(client, ours)


def _dial_buildkit(connection: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(docker_program()), "buildx", "dial-stdio"],
        env={**os.environ, "DOCKER_HOST": docker_host()},
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        stderr=subprocess.DEVNULL,
    )


def _pass_on_both_ways(client: ssl.SSLSocket, buildkit: socket.socket) -> None:
    """Until one side is gone. One thread only, because a TLS connection is not for two."""
    client.settimeout(0)
    waiting: dict[socket.socket, bytes] = {client: b"", buildkit: b""}
    """What each side is still to be sent."""
    while True:
        readable = [] if client.pending() else [client, buildkit]
        writable = [side for side, content in waiting.items() if content]
        if readable:
            select.select(readable, writable, [], 0.05 if writable else 1.0)
        for source, sink in ((client, buildkit), (buildkit, client)):
            if len(waiting[sink]) < _CHUNK:
                with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    flags = () if source is client else (socket.MSG_DONTWAIT,)
                    content = source.recv(_CHUNK, *flags)
                    if not content:
                        return
                    waiting[sink] += content
            if waiting[sink]:
                with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    sent = sink.send(waiting[sink])
                    waiting[sink] = waiting[sink][sent:]


def create_remote_builder(machine: Machine, name: str, url: str) -> None:
    """A builder of the `remote` driver, in the buildx configuration of a machine's user."""
    assert machine.docker is not None
    subprocess.run(
        [str(docker_program()), "buildx", "create", "--name", name, "--driver", "remote", url],
        env=machine.environment,
        check=True,
        capture_output=True,
    )


def forget_steps(marker: str) -> None:
    """Remove what the engine's BuildKit has cached of steps whose text has this word."""
    plain_docker("buildx", "prune", "--force", "--all", "--filter", f"description~={marker}")
    left = plain_docker("buildx", "du", "--verbose", "--filter", f"description~={marker}")
    assert marker not in left
