"""What is a build called in `docker buildx history ls`? After its target.

https://docs.docker.com/reference/dockerfile/#buildkit-built-in-build-args
"""

from __future__ import annotations

from pants_docker_buildkit.solver.definition import BuildDefinition

BUILD_NAME = "BUILDKIT_BUILD_NAME"


def name_arguments(
    definition: BuildDefinition, target: str, dockerfile: bytes
) -> tuple[tuple[str, str], ...]:
    """The build argument that names the build, which is in no key.

    So there is none where the Dockerfile speaks of it and could put it into the image, and a name
    that the target gives itself stays.
    """
    is_given = any(name == BUILD_NAME for name, _ in definition.build_args)
    return () if is_given or BUILD_NAME.encode() in dockerfile else ((BUILD_NAME, target),)
