"""Does a container of the image answer? Runs again only where the digest of the image has moved."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_START_SECONDS = 60.0


def docker(*arguments: str) -> str:
    """What the Docker CLI prints."""
    return subprocess.run(
        ["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def try_docker(*arguments: str) -> str | None:
    """What the Docker CLI prints; `None` where it fails."""
    try:
        return docker(*arguments)
    except subprocess.CalledProcessError:
        return None


@pytest.fixture
def container() -> Iterator[str]:
    """The ID of a running container."""
    references = json.loads(Path("src.service/refs.json").read_text())
    started = docker("run", "--detach", references["SERVICE"]["reference"])
    yield started
    docker("rm", "--force", "--volumes", started)


def test_the_service_answers(container: str) -> None:
    # Asked from inside, for the engine may run on another machine.
    ask = ("exec", container, "wget", "-qO-", "http://127.0.0.1:8080/hello")
    deadline = time.monotonic() + _START_SECONDS
    while (answer := try_docker(*ask)) is None:
        assert time.monotonic() < deadline, docker("logs", container)
        time.sleep(0.2)
    assert json.loads(answer)["path"] == "/hello"
