"""A real remote cache for Pants: a BuildGrid server with its content on disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.workbench.registry import free_port, wait_for_port
from tests.integration.workbench.required import buildgrid_program

# Pants asks more at once than the ten threads that BuildGrid has unless told otherwise.
_SETTINGS = """\
server:
  - !channel
    address: {address}
    insecure-mode: true
description: remote cache of the integration tests
authorization:
  method: none
monitoring:
  enabled: false
instances:
  - name: main
    storages:
      - !disk-storage &storage
        path: {directory}/content
    caches:
      - !lru-action-cache &cache
        storage: *storage
        max-cached-refs: 100000
        allow-updates: true
    services:
      - !action-cache
        cache: *cache
      - !cas
        storage: *storage
      - !bytestream
        storage: *storage
thread-pool-size: 200
"""


class RemoteCache:
    """A server of one test or of several. `url` is Pants' `remote_store_address`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        address = f"127.0.0.1:{free_port()}"
        self.url = f"grpc://{address}"
        self.content = directory / "content"
        settings = directory / "settings.yml"
        settings.write_text(_SETTINGS.format(address=address, directory=directory))
        with open(directory / "log", "wb") as log:
            self._process = subprocess.Popen(
                [str(buildgrid_program()), "server", "start", str(settings)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(address)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
