"""Run a container of an image in place of this process.

So its terminal, its signals and its exit code are those of `docker run`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.oci.json_values import decode
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.session.directory import scratch_directory
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.docker_config import with_private_config
from pants_docker_buildkit.solver.errors import ImageNotPulledError, LayoutNotLoadedError
from pants_docker_buildkit.solver.layout_archive import add_layout

_DEFAULT_PLATFORM = "DOCKER_DEFAULT_PLATFORM"
"""With this variable the user chooses a platform where a command of Docker names none."""

_COLLECTED = re.compile(r"content digest sha256:[0-9a-f]{64}: not found")
"""What an engine says whose clean-up takes content away that the same pull has just seen there."""


@dataclass(frozen=True)
class ContainerJob:
    """What to run. `options` are for `docker run`.

    `image` is a pinned reference, or the digest of an image that is in the engine, or gets there
    from the OCI image layout in the directory `layout`. `hidden` are variables of the user's
    environment that Pants was not given, because it writes down what it is given. `platforms` are
    those of the image.
    """

    image: str
    options: tuple[str, ...] = ()
    layout: Optional[str] = None
    hidden: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As `parse_container_job` reads it."""
        return json.dumps(asdict(self))


def parse_container_job(text: str) -> ContainerJob:
    """What `ContainerJob.to_json` wrote."""
    return decode(ContainerJob, json.loads(text))


def run_container(
    docker: DockerCli, job: ContainerJob, arguments: Sequence[str], session: SessionClient
) -> None:
    """Become `docker run`. Returns only by raising a `SolverError`."""
    image = job.image
    if job.layout is None:
        _pull(docker, job, session.directory)
    elif docker.ask("image", "inspect", image).returncode != 0:
        image = _load(docker, Path(job.layout))
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    options = ["--rm", "--interactive", *terminal, *job.options]
    command = docker.arguments(["run", *options, image, *arguments])
    sys.stdout.flush()
    # The variables that `--env NAME` passes on are the user's.
    environment = dict(os.environ)
    for name, value in session.variables(job.hidden).items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    # Builds do not see it, so the image need not have that platform.
    if environment.get(_DEFAULT_PLATFORM) not in job.platforms:
        environment.pop(_DEFAULT_PLATFORM, None)
    os.execve(docker.binary, command, {**environment, **docker.environment})


def _pull(docker: DockerCli, job: ContainerJob, session: Path) -> None:
    """Have the engine get the image, with credentials that `docker run` would not have."""
    reference = _reference(job.image)
    if reference is None or docker.ask("image", "inspect", job.image).returncode == 0:
        return
    platform = [each for each in job.options if each.startswith("--platform=")]
    arguments = ["pull", *platform, job.image]
    with scratch_directory(session) as scratch:
        repositories = {reference.registry: reference.repository}
        private = with_private_config(docker, session, scratch / "docker", repositories)
        finding = _run_pull(private, arguments)
        if finding is not None and _COLLECTED.search(finding):
            finding = _run_pull(private, arguments)
    if finding is not None:
        raise ImageNotPulledError(job.image, finding)


def _run_pull(docker: DockerCli, arguments: Sequence[str]) -> str | None:
    """Why the engine did not pull an image, if it did not."""
    pull = subprocess.run(
        docker.arguments(arguments),
        env=dict(docker.environment),
        stdin=subprocess.DEVNULL,
        # Standard output is the container's.
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        check=False,
    )
    return pull.stderr.decode("utf-8", "replace") if pull.returncode != 0 else None


def _reference(image: str) -> ImageReference | None:
    try:
        return ImageReference.parse(image)
    except InvalidImageReferenceError:
        # The digest of an image that only the engine has.
        return None


def _load(docker: DockerCli, layout: Path) -> str:
    """The ID under which the engine has the image of a layout, without any other name."""
    with subprocess.Popen(
        docker.arguments(["load", "--quiet"]),
        env=dict(docker.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        # An engine that hangs up says why below.
        try:
            with suppress(BrokenPipeError):
                with tarfile.open(fileobj=load.stdin, mode="w|") as archive:
                    add_layout(archive, ImageLayout.open(layout))
                load.stdin.close()
        except InvalidLayoutError as e:
            load.kill()
            raise LayoutNotLoadedError(str(e)) from e
        said = load.stdout.read().decode("utf-8", "replace").strip()
    if load.returncode != 0 or not said.startswith("Loaded image"):
        raise LayoutNotLoadedError(said)
    return said.splitlines()[-1].partition(": ")[2]
