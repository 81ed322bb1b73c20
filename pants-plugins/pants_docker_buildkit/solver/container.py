"""Run a container of an image in place of this process.

So its terminal, its signals and its exit code are those of `docker run`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import LayoutNotLoadedError


@dataclass(frozen=True)
class ContainerJob:
    """What to run. `options` are for `docker run`.

    `image` is a pinned reference, or the digest of an image that is in the engine, or gets there
    from the OCI image layout in the directory `layout`.
    """

    image: str
    options: tuple[str, ...] = ()
    layout: str | None = None

    def to_json(self) -> str:
        """As `parse_container_job` reads it."""
        return json.dumps(asdict(self))


def parse_container_job(text: str) -> ContainerJob:
    """What `ContainerJob.to_json` wrote."""
    fields = json.loads(text)
    return ContainerJob(**{**fields, "options": tuple(fields["options"])})


def run_container(docker: DockerCli, job: ContainerJob, arguments: Sequence[str]) -> None:
    """Become `docker run`. Returns only by raising a `SolverError`."""
    image = job.image
    if job.layout is not None and docker.ask("image", "inspect", image).returncode != 0:
        image = _load(docker, Path(job.layout))
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    options = ["--rm", "--interactive", *terminal, *job.options]
    command = docker.arguments(["run", *options, image, *arguments])
    sys.stdout.flush()
    # The variables that `--env NAME` passes on are the user's.
    os.execve(docker.binary, command, {**os.environ, **docker.environment})


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
        with suppress(BrokenPipeError):
            with tarfile.open(fileobj=load.stdin, mode="w|") as archive:
                _add_layout(archive, layout)
            load.stdin.close()
        said = load.stdout.read().decode("utf-8", "replace").strip()
    if load.returncode != 0 or not said.startswith("Loaded image"):
        raise LayoutNotLoadedError(said)
    return said.splitlines()[-1].partition(": ")[2]


def _add_layout(archive: tarfile.TarFile, layout: Path) -> None:
    """Add a layout whose image has no name: the engine would tag it."""
    index = json.loads((layout / "index.json").read_bytes())
    for manifest in index["manifests"]:
        manifest.pop("annotations", None)
    content = json.dumps(index).encode()
    member = tarfile.TarInfo("index.json")
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    for path in sorted(layout.iterdir()):
        if path.name != member.name:
            archive.add(path, arcname=path.name)
