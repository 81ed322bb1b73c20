"""`BuilderDescription` → the arguments of `docker buildx create`.

https://docs.docker.com/reference/cli/docker/buildx/create/
"""

from __future__ import annotations

import shlex

from pants_docker_buildkit.buildx.attributes import render_attributes
from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import render_buildkitd_flags


def render_create_arguments(
    description: BuilderDescription, instance: str, config_file: str | None
) -> tuple[tuple[str, ...], ...]:
    """What follows `docker` to create the builder `instance`: one call for each node.

    Nodes have names, so a call that was made before changes nothing.
    """
    daemon = [] if config_file is None else ["--buildkitd-config", config_file]
    if description.buildkitd is not None:
        flags = render_buildkitd_flags(description.buildkitd)
        daemon += ["--buildkitd-flags", shlex.join(flags)] if flags else []
    return tuple(
        _create_node(description.driver, instance, index, node, daemon)
        for index, node in enumerate(description.nodes)
    )


def node_name(instance: str, index: int) -> str:
    """What the node of this number is called, the first of which is 0."""
    return f"{instance}{index}"


def _create_node(
    driver: str, instance: str, index: int, node: NodeDescription, daemon: list[str]
) -> tuple[str, ...]:
    arguments = ["buildx", "create", "--name", instance, "--node", node_name(instance, index)]
    arguments += ["--append"] if index else []
    arguments += ["--driver", driver]
    for option in node.driver_opts:
        arguments += ["--driver-opt", render_attributes((option,))]
    if node.platforms:
        arguments += ["--platform", ",".join(node.platforms)]
    return (*arguments, *daemon, *([] if node.endpoint is None else [node.endpoint]))
