"""The Docker Engine of the tests, as the Docker SDK shows it: no CLI, no code of the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker

from tests.integration.workbench.required import docker_host


@contextmanager
def engine() -> Iterator[Any]:
    """A `docker.DockerClient`, for as long as the block runs."""
    client = docker.DockerClient(docker_host(), version="auto")
    try:
        yield client
    finally:
        client.close()


def run_image(reference: str, *command: str) -> str:
    """What a container of an image prints. An image that the engine does not have is pulled."""
    with engine() as client:
        output: bytes = client.containers.run(reference, list(command) or None, remove=True)
    return output.decode()


def image_config(reference: str) -> dict[str, Any]:
    """How an image that the engine has is run."""
    with engine() as client:
        config: dict[str, Any] = client.images.get(reference).attrs["Config"]
    return config


def remove_image(reference: str) -> None:
    """Let the engine lose an image."""
    with engine() as client:
        client.images.remove(reference, force=True)


def is_running(label: str) -> bool:
    """Whether a container with a label runs."""
    with engine() as client:
        return bool(client.containers.list(filters={"label": label}))
