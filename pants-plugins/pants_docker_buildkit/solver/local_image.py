"""Does the local Docker Engine have an image that was loaded into it?"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import EngineSearch
from pants_docker_buildkit.solver.errors import EngineUnreachableError

_NOT_FOUND = "No such image"


class LocalImage(str, Enum):
    """What an engine says of an image."""

    PRESENT = "present"
    MISSING = "missing"


def find_local_image(docker: DockerCli, reference: str, tags: Iterable[str]) -> LocalImage:
    """Whether the engine has the image that `reference` pins.

    If so, the image gets `tags`, which are references with a tag: moving a tag costs nothing.
    """
    answer = docker.ask("image", "inspect", "--format", "{{.Id}}", reference)
    if answer.returncode == 0:
        for tag in tags:
            docker.ask("image", "tag", reference, tag)
        return LocalImage.PRESENT
    if _NOT_FOUND in answer.stderr:
        return LocalImage.MISSING
    raise EngineUnreachableError(EngineSearch(docker.environment).described, answer.stderr)
