"""BuildKit reached in other ways than through the Docker Engine's own driver."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

from tests.integration.workbench.base_image import plain_docker
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

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._processes.append(
                    subprocess.Popen(
                        [str(docker_program()), "buildx", "dial-stdio"],
                        env={**os.environ, "DOCKER_HOST": docker_host()},
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=subprocess.DEVNULL,
                    )
                )

    def close(self) -> None:
        # Only a shutdown wakes the thread that waits in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for process in self._processes:
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
    plain_docker("buildx", "prune", "--force", "--all", "--filter", f"description~={marker}")
    left = plain_docker("buildx", "du", "--verbose", "--filter", f"description~={marker}")
    assert marker not in left
