"""Does the local Docker Engine have an image that was loaded into it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import EngineSearch
from pants_docker_buildkit.solver.errors import EngineUnreachableError

_NOT_FOUND = "No such image"


@dataclass(frozen=True)
class LocalImage:
    """What an engine says of an image. `refused_tags` are those that it could not set, and why."""

    is_present: bool
    refused_tags: tuple[tuple[str, str], ...] = ()


def find_local_image(docker: DockerCli, reference: str, tags: Iterable[str]) -> LocalImage:
    """Whether the engine has the image that `reference` pins.

    If so, the image gets `tags`, which are references with a tag: moving a tag costs nothing.
    """
    answer = docker.ask("image", "inspect", "--format", "{{.Id}}", reference)
    if answer.returncode != 0:
        if _NOT_FOUND in answer.stderr:
            return LocalImage(is_present=False)
        raise EngineUnreachableError(EngineSearch(docker.environment).described, answer.stderr)
    refused = []
    for tag in tags:
        tagged = docker.ask("image", "tag", reference, tag)
        if tagged.returncode != 0:
            finding = redact(tagged.stderr.strip()) or f"exit code {tagged.returncode}"
            refused.append((tag, finding))
    return LocalImage(is_present=True, refused_tags=tuple(refused))
