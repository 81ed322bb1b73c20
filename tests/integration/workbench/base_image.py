"""An image to build on: busybox for two platforms, pushed to a registry once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import busybox_program, docker_host, docker_program

_DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY --chmod=755 busybox-$TARGETARCH /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
"""


def push_busybox(directory: Path, registry: Registry, name: str = "integration/busybox") -> str:
    """`registry/repository:tag` of an image with a shell, for linux/amd64 and linux/arm64."""
    directory.mkdir(parents=True)
    for architecture in ("amd64", "arm64"):
        shutil.copy(busybox_program(architecture), directory / f"busybox-{architecture}")
    (directory / "Dockerfile").write_text(_DOCKERFILE)
    reference = f"{registry.address}/{name}:1"
    plain_docker(
        *("buildx", "build", "--platform=linux/amd64,linux/arm64", "--provenance=false"),
        *(_pushed(reference), str(directory)),
    )
    return reference


def move_tag(tag: str, base: str, *instructions: str) -> None:
    """Let a tag stand for `base` with further instructions of a Dockerfile."""
    dockerfile = "\n".join((f"FROM {base}", *instructions))
    plain_docker(
        *("buildx", "build", "--provenance=false", _pushed(tag), "-"),
        stdin=dockerfile,
    )


def _pushed(tag: str) -> str:
    """Where an image goes. An engine that keeps each one slows down with the number of tests."""
    return f"--output=type=image,name={tag},push=true,store=false"


def plain_docker(*arguments: str, stdin: str = "") -> str:
    """What Docker prints. Not recorded, and with nobody's configuration."""
    answer = subprocess.run(
        [str(docker_program()), *arguments],
        env={**os.environ, "DOCKER_HOST": docker_host()},
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = answer.stdout.decode("utf-8", "replace")
    assert answer.returncode == 0, output
    return output
