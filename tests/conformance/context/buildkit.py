"""What does BuildKit put into the image for `FROM scratch` and `COPY . /`?

Dozens of contexts are built by one `docker buildx bake`, because a build takes longer to start than
to run.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME, NO_PATTERNS_IGNORE_FILE

DOCKER_VARIABLE = "BUILDKIT_TESTS_DOCKER"
DOCKER_HOST_VARIABLE = "BUILDKIT_TESTS_DOCKER_HOST"

REFUSALS = ("syntax error in pattern", "illegal exclusion pattern")
CANCELED = "context canceled"
"""What buildx may say of a bake that failed, in place of the reason."""

_ATTEMPTS_ALONE = 3


class Placement(Enum):
    """Where BuildKit finds the ignore file."""

    MAIN_CONTEXT = "main context"
    NAMED_CONTEXT = "named context"
    BESIDE_DOCKERFILE = "beside the Dockerfile"
    NOWHERE = "nowhere"
    """As the plugin builds: a `.dockerignore` that lies in the context must have no effect."""


@dataclass(frozen=True)
class BuildRequest:
    """A tree to build, with the ignore file that BuildKit is to apply to it.

    `root` is a folder inside the working directory of the build.
    """

    root: str
    placement: Placement
    ignore_file: bytes


class Refused(Enum):
    """BuildKit failed."""

    REFUSED = "refused"


def docker_binary() -> str:
    """The Docker client of the test run. There is no conformance without one, so tests fail."""
    docker = os.environ.get(DOCKER_VARIABLE)
    if not docker:
        raise RuntimeError(f"{DOCKER_VARIABLE} must name the docker binary of the tests.")
    return docker


def docker_environment() -> dict[str, str]:
    """The environment of the Docker client, with the engine of the test run if one is named."""
    host = os.environ.get(DOCKER_HOST_VARIABLE)
    return {**os.environ, "DOCKER_HOST": host} if host else dict(os.environ)


class ContextBuilder:
    """Builds contexts that lie in one working directory."""

    def __init__(self, workdir: Path) -> None:
        """Build in `workdir`, in which the roots of all requests lie."""
        self._workdir = workdir
        self._docker = docker_binary()
        self._bakes = 0

    def build_tar(self, request: BuildRequest) -> Path:
        """The image of one request, which must be for a main context, as a tar file."""
        output = self._bake([request])
        if output is None:
            raise RuntimeError("BuildKit refused the patterns.")
        return output / "0.tar"

    def build(self, requests: Sequence[BuildRequest]) -> list[tuple[ContextEntry, ...] | Refused]:
        """What is in each image; a request that fails takes no other with it."""
        output = self._bake(requests)
        if output is not None:
            return [_read_tree(output, index) for index in range(len(requests))]
        if len(requests) == 1:
            return [Refused.REFUSED]
        half = len(requests) // 2
        return [*self.build(requests[:half]), *self.build(requests[half:])]

    def _bake(self, requests: Sequence[BuildRequest]) -> Path | None:
        """Where the trees are, or nothing if a request was refused, or if one of several may be."""
        output, error = self._bake_once(requests)
        attempts = 1
        while CANCELED in error and len(requests) == 1 and attempts < _ATTEMPTS_ALONE:
            output, error = self._bake_once(requests)
            attempts += 1
        may_be_refused = any(refusal in error for refusal in REFUSALS) or (
            CANCELED in error and len(requests) > 1
        )
        if output is None and not may_be_refused:
            raise RuntimeError(f"docker buildx bake failed:\n{error}")
        return output

    def _bake_once(self, requests: Sequence[BuildRequest]) -> tuple[Path | None, str]:
        self._bakes += 1
        output = self._workdir / f"bake{self._bakes}"
        output.mkdir()
        targets: dict[str, object] = {}
        named = [i for i, each in enumerate(requests) if each.placement is Placement.NAMED_CONTEXT]
        for index, request in enumerate(requests):
            if request.placement is not Placement.NAMED_CONTEXT:
                targets[f"t{index}"] = self._main_target(request, output, index)
            else:
                ignore_file = self._workdir / request.root / IGNORE_FILE_NAME
                ignore_file.write_bytes(request.ignore_file)
        if named:
            targets["named"] = self._named_target(requests, named, output)
        definition = output / "bake.json"
        definition.write_text(
            json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets})
        )
        baked = subprocess.run(
            [self._docker, "buildx", "bake", "--progress=plain", "-f", f"{output.name}/bake.json"],
            cwd=self._workdir,
            env=docker_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return (None if baked.returncode else output), baked.stderr

    def _main_target(self, request: BuildRequest, output: Path, index: int) -> dict[str, object]:
        dockerfiles = output / f"dockerfile{index}"
        dockerfiles.mkdir()
        (dockerfiles / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        in_context = self._workdir / request.root / IGNORE_FILE_NAME
        beside = dockerfiles / f"Dockerfile{IGNORE_FILE_NAME}"
        if request.placement is Placement.MAIN_CONTEXT:
            in_context.write_bytes(request.ignore_file)
        elif request.placement is Placement.BESIDE_DOCKERFILE:
            beside.write_bytes(request.ignore_file)
        else:
            beside.write_bytes(NO_PATTERNS_IGNORE_FILE)
        return {
            "context": request.root,
            "dockerfile": str(dockerfiles / "Dockerfile"),
            "output": [f"type=tar,dest={output.name}/{index}.tar"],
        }

    def _named_target(
        self, requests: Sequence[BuildRequest], named: Sequence[int], output: Path
    ) -> dict[str, object]:
        empty = output / "empty"
        empty.mkdir()
        # One layer each, of which an image cannot have more than some hundred.
        copies = [f"COPY --from=c{index} . /{index}/" for index in named]
        return {
            "context": f"{output.name}/empty",
            "contexts": {f"c{index}": requests[index].root for index in named},
            "dockerfile-inline": "\n".join(["FROM scratch", *copies]),
            "output": [f"type=tar,dest={output.name}/named.tar"],
        }


def _read_tree(output: Path, index: int) -> tuple[ContextEntry, ...]:
    alone = output / f"{index}.tar"
    if alone.exists():
        return read_tar(alone)
    return read_tar(output / "named.tar", below=f"{index}/")


def read_tar(tar: Path, *, below: str = "") -> tuple[ContextEntry, ...]:
    """The entries of a tree in a tar file, only empty directories among its directories."""
    entries: dict[str, ContextEntry] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            path = member.name
            if not path.startswith(below) or path == below:
                continue
            path = path[len(below) :]
            if member.isdir():
                entries[path] = DirectoryEntry(path)
            elif member.issym():
                entries[path] = SymlinkEntry(path, member.linkname)
            else:
                source = archive.extractfile(member)
                content = source.read() if source else b""
                is_executable = bool(member.mode & 0o100)
                checksum = hashlib.sha256(content).hexdigest()
                entries[path] = FileEntry(path, checksum, len(content), is_executable)
    occupied = {path.rpartition("/")[0] for path in entries}
    return tuple(entries[path] for path in sorted(entries) if path not in occupied)
