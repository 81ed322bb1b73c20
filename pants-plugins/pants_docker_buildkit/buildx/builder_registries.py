"""Which registries does a described builder ask besides those that a build names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pants_docker_buildkit.buildx.builder import BUILDKIT_IMAGE
from pants_docker_buildkit.buildx.builder_description import DOCKER_CONTAINER, BuilderDescription


def daemon_images(description: BuilderDescription) -> Iterator[str]:
    """The images that buildx pulls to run the nodes."""
    if description.driver == DOCKER_CONTAINER:
        for node in description.nodes:
            yield dict(node.driver_opts).get("image", BUILDKIT_IMAGE)


def mirror_references(
    description: BuilderDescription, repositories: Mapping[str, str]
) -> Iterator[str]:
    """What the mirrors of registries are asked for, where these are asked for `repositories`."""
    registries = () if description.buildkitd is None else description.buildkitd.registries
    for registry in registries:
        if registry.host in repositories:
            for mirror in registry.mirrors:
                yield f"{mirror.rstrip('/')}/{repositories[registry.host]}"
