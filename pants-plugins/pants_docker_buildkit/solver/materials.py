"""Which materials did a build of several platforms use?

buildx before 0.31 leaves them out of the metadata file (https://github.com/docker/buildx/pull/3536),
although the builder keeps them. So its history is asked, and the record does not depend on buildx.
"""

from __future__ import annotations

from collections.abc import Iterable

from pants_docker_buildkit.buildx.metadata import (
    BuildMaterial,
    BuildMetadata,
    InvalidMetadataError,
    parse_provenance,
)
from pants_docker_buildkit.solver.builder_history import read_attachment
from pants_docker_buildkit.solver.docker_cli import DockerCli


def find_materials(
    docker: DockerCli, builder: str | None, metadata: BuildMetadata, platforms: Iterable[str]
) -> tuple[BuildMaterial, ...]:
    """The materials of a build, each once, sorted.

    A builder without a history is no failure: what is not known of an image does not unmake it.
    """
    names = tuple(platforms)
    if metadata.materials or metadata.build_reference is None or len(names) == 1:
        return metadata.materials
    found: set[BuildMaterial] = set()
    for platform in names:
        kind = ("--type=provenance", f"--platform={platform}")
        provenance = read_attachment(docker, builder, metadata.build_reference, *kind)
        if provenance is None:
            return ()
        try:
            found |= set(parse_provenance(provenance))
        except InvalidMetadataError:
            return ()
    return tuple(sorted(found))
