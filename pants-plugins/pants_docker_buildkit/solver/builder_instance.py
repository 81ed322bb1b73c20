"""What is a described builder called? By all that it is made from.

So what has a name is never changed, and whoever finds it can use it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from pants_docker_buildkit.buildx.builder_description import (
    DOCKER_CONTAINER,
    KUBERNETES,
    BuilderDescription,
)
from pants_docker_buildkit.buildx.buildkitd_config import render_buildkitd_flags
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import DEFAULT_CONTEXT, chosen_context
from pants_docker_buildkit.solver.errors import BuilderNotReadyError


def instance_name(docker: DockerCli, description: BuilderDescription) -> str:
    """What the builder of this description is called: another description is another builder.

    The content of files that buildx copies counts, and which engine or cluster it will choose.
    Raises `BuilderNotReadyError` if a file cannot be read.
    """
    definition: dict[str, object] = {
        "driver": description.driver,
        "nodes": [asdict(node) for node in description.nodes],
        "place": _place(docker, description.driver),
        "buildkitd": None if description.buildkitd is None else asdict(description.buildkitd),
        "files": [content_hash(path, description) for path in _copied_files(description)],
    }
    flags = () if description.buildkitd is None else render_buildkitd_flags(description.buildkitd)
    if flags:
        # Without any, the name stays that of a builder that has its cache.
        definition["flags"] = flags
    text = json.dumps(definition, sort_keys=True)
    return f"pants-{description.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def content_hash(path: str, description: BuilderDescription) -> str:
    """A hash of a file. Raises `BuilderNotReadyError` if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as e:
        raise BuilderNotReadyError(
            description.name, "name files that can be read", f"{path} cannot: {e.strerror}"
        ) from e


def _copied_files(description: BuilderDescription) -> tuple[str, ...]:
    if description.buildkitd_config_file is not None:
        return (description.buildkitd_config_file,)
    return () if description.buildkitd is None else description.buildkitd.files


def _place(docker: DockerCli, driver: str) -> list[str]:
    """What buildx takes for an endpoint that a description leaves open."""
    if driver == KUBERNETES:
        return [docker.environment.get("KUBECONFIG", "")]
    if driver == DOCKER_CONTAINER:
        return [
            docker.environment.get("DOCKER_HOST", ""),
            chosen_context(docker.environment) or DEFAULT_CONTEXT,
        ]
    return []
