"""BuildKit reached in other ways than through the Docker Engine's own driver."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.base_image import plain_docker
from tests.integration.workbench.door import Door
from tests.integration.workbench.machine import Machine
from tests.integration.workbench.required import docker_host, docker_program


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
        _end(self._processes)

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


class BuildKitPort(Door):
    """A TCP port with the engine's BuildKit behind it, for clients with a certificate only."""

    def __init__(self, certificates: TestCertificates) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.certificate_file, certificates.key_file)
        tls.load_verify_locations(certificates.ca_file)
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.set_alpn_protocols(["h2"])
        self._processes: list[subprocess.Popen[bytes]] = []
        super().__init__(socket.create_server(("127.0.0.1", 0)), self._dial_one, tls)
        self.url = f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        super().close()
        _end(self._processes)

    def _dial_one(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._processes.append(_dial_buildkit(theirs))
        return ours


def _dial_buildkit(connection: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(docker_program()), "buildx", "dial-stdio"],
        env={**os.environ, "DOCKER_HOST": docker_host()},
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        stderr=subprocess.DEVNULL,
    )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    # Not those of connections that come meanwhile.
    for process in tuple(processes):
        process.kill()
        process.wait()


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
    marked = ("--filter", f"description~={marker}")

    def are_forgotten() -> bool:
        plain_docker("buildx", "prune", "--force", "--all", *marked)
        return marker not in plain_docker("buildx", "du", "--verbose", *marked)

    # Those that were just used may be in use for a moment.
    wait_until(are_forgotten)
