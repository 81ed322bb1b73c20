"""A real registry, and what tests ask of it: independent of the plugin's own client."""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pants_docker_buildkit.testing.processes import SOON
from tests.integration.workbench.required import registry_program

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


class Registry:
    """Whatever answers at `address`, in plain HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address

    def manifest(self, reference: str) -> dict[str, Any]:
        """The manifest of `registry/repository@digest` or `…:tag`."""
        status, body, _ = self._ask("GET", reference)
        assert status == 200, f"{reference}: {status}"
        document: dict[str, Any] = json.loads(body)
        return document

    def config(self, reference: str) -> dict[str, Any]:
        """The image's config."""
        digest = self.manifest(reference)["config"]["digest"]
        document: dict[str, Any] = json.loads(self.blob(reference.partition("@")[0], digest))
        return document

    def blob(self, name: str, digest: str) -> bytes:
        """The content of a blob of `registry/repository`."""
        repository = name.partition("/")[2]
        with urllib.request.urlopen(
            f"http://{self.address}/v2/{repository}/blobs/{digest}"
        ) as answer:
            content: bytes = answer.read()
        return content

    def has(self, reference: str) -> bool:
        return self._ask("HEAD", reference)[0] == 200

    def digest(self, reference: str) -> str:
        """What a tag points to."""
        status, _, headers = self._ask("HEAD", reference)
        assert status == 200, f"{reference}: {status}"
        return headers["docker-content-digest"]

    def tags(self, name: str) -> list[str]:
        """The tags of `registry/repository`."""
        repository = name.partition("/")[2]
        with urllib.request.urlopen(f"http://{self.address}/v2/{repository}/tags/list") as answer:
            found: list[str] = json.load(answer)["tags"]
        return found

    def delete(self, reference: str) -> None:
        """Lose a manifest, as a retention policy would."""
        assert self._ask("DELETE", reference)[0] == 202
        assert not self.has(reference)

    def delete_blob(self, name: str, digest: str) -> None:
        """Lose a blob of `registry/repository`, as a clean-up would that is wrong."""
        repository = name.partition("/")[2]
        url = f"http://{self.address}/v2/{repository}/blobs/{digest}"
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")) as answer:
            assert answer.status == 202

    def _ask(self, method: str, reference: str) -> tuple[int, bytes, Mapping[str, str]]:
        repository, name = _split(reference)
        request = urllib.request.Request(
            f"http://{self.address}/v2/{repository}/manifests/{name}",
            method=method,
            headers={"Accept": _ACCEPT},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                headers = {key.lower(): value for key, value in answer.headers.items()}
                return answer.status, answer.read(), headers
        except urllib.error.HTTPError as e:
            e.close()
            return e.code, b"", {}


class OwnRegistry(Registry):
    """A registry process of one test, to be stopped, started and wiped at will."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"127.0.0.1:{free_port()}")
        directory.mkdir(parents=True)
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "registry.yml").write_text(
            f"""\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {directory}/content}}
  delete: {{enabled: true}}
http: {{addr: "{self.address}"}}
"""
        )

    def start(self) -> None:
        with open(self._directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [str(registry_program()), "serve", str(self._directory / "registry.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.address)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Lose everything."""
        self.stop()
        shutil.rmtree(self._directory / "content", ignore_errors=True)
        self.start()


def free_port() -> int:
    """A port of this machine that nobody else is given as long as this process lives.

    Linux lets a server have it that sets `SO_REUSEADDR`, because nobody listens there.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    atexit.register(holder.close)
    port: int = holder.getsockname()[1]
    return port


def wait_for_port(address: str) -> None:
    """Wait until something accepts connections at `host:port`."""
    host, _, port = address.partition(":")
    deadline = time.monotonic() + SOON
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers at {address}"
            time.sleep(0.05)
        else:
            return


def _split(reference: str) -> tuple[str, str]:
    """The repository, and the tag or digest, of `registry/repository[:tag|@digest]`."""
    path = reference.partition("/")[2]
    repository, at, digest = path.partition("@")
    if at:
        return repository, digest
    repository, _, tag = path.rpartition(":")
    return repository, tag
