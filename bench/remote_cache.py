"""A real remote cache server (REAPI) on loopback, for the time of a block."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """\
server:
  - !channel
    address: localhost:{port}
    insecure-mode: true
authorization: {{method: none}}
monitoring: {{enabled: false}}
thread-pool-size: 200
instances:
  - name: ''
    storages:
      - !disk-storage &storage
        path: {folder}/cas
    caches:
      - !lru-action-cache &actions
        storage: *storage
        max-cached-refs: 100000
        allow-updates: true
    services:
      - !action-cache {{cache: *actions}}
      - !cas {{storage: *storage}}
      - !bytestream {{storage: *storage}}
"""
_START_SECONDS = 60.0


@contextmanager
def remote_cache(program: str, folder: Path) -> Iterator[str]:
    """The address of a server that keeps its content in `folder`, but not its action cache."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    configuration = folder / "server.yaml"
    configuration.write_text(_CONFIGURATION.format(port=port, folder=folder))
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            [program, "server", "start", str(configuration)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_for(port, server)
        yield f"grpc://localhost:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
