"""Which platforms do the nodes of a builder have, and are they those of the build's definition?"""

from __future__ import annotations

import json

from pants_docker_buildkit.buildx.builder import InvalidBuilderError, parse_builder
from pants_docker_buildkit.buildx.native_platform import native_platforms
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.described_builder import ChosenBuilder
from pants_docker_buildkit.solver.errors import OtherBuildPlatformError, OtherDefaultPlatformError


def find_node_platforms(chosen: ChosenBuilder) -> tuple[tuple[str, ...], ...]:
    """The platforms of each node, as buildx prints them. A builder that sleeps is booted."""
    nodes = chosen.builder.node_platforms
    if any(nodes):
        return nodes
    name = [chosen.name] if chosen.name else []
    answer = chosen.docker.ask("buildx", "inspect", "--bootstrap", *name)
    try:
        return parse_builder(answer.stdout).node_platforms
    except InvalidBuilderError:
        # The build itself says what is wrong with its builder.
        return ()


def render_nodes(nodes: tuple[tuple[str, ...], ...]) -> str:
    """What the process prints that asks for them."""
    return json.dumps({"nodes": [{"platforms": list(node)} for node in nodes]})


def parse_nodes(text: bytes) -> tuple[tuple[str, ...], ...]:
    """What `render_nodes` wrote. Raises `ValueError` for anything else, as caches may hold."""
    return tuple(each.texts("platforms") for each in JsonObject.parse(text).objects("nodes"))


def check_build_platforms(definition: BuildDefinition, chosen: ChosenBuilder) -> None:
    """Refuse a builder that would make another image, where no build argument prevents that."""
    if definition.platform_of_base is not None:
        _check_default_platform(definition, chosen)
    if not definition.build_platforms:
        return
    targets = [ImagePlatform.parse(target) for target, _ in definition.build_platforms]
    found = [str(each) for each in native_platforms(find_node_platforms(chosen), targets)]
    if found != [wanted for _, wanted in definition.build_platforms]:
        raise OtherBuildPlatformError(chosen.builder.called, definition.build_platforms, found)


def _check_default_platform(definition: BuildDefinition, chosen: ChosenBuilder) -> None:
    """Refuse a builder that builds for another platform where it is told none."""
    (wanted,) = definition.platforms
    # buildx sends such a build to the first node.
    nodes = find_node_platforms(chosen)[:1]
    found = [str(each) for each in native_platforms(nodes, [ImagePlatform.parse(wanted)])]
    if found != [wanted]:
        raise OtherDefaultPlatformError(chosen.builder.called, wanted, found)
