"""Read the file that `--metadata-file` names; the only file that knows its keys.

https://docs.docker.com/reference/cli/docker/buildx/build/#metadata-file
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest

_PROVENANCE = "buildx.build.provenance"


class InvalidMetadataError(ValueError):
    """buildx wrote something that does not say which image it built."""


@dataclass(frozen=True, order=True)
class BuildMaterial:
    """Something that the build read from outside: an image, a Git repository, a download."""

    uri: str
    digest: str


@dataclass(frozen=True)
class BuildMetadata:
    """What buildx says of the image that it built.

    `digest` is that of the manifest, or of the index of several platforms. `config_digest` is known
    only for an image of one platform.
    """

    digest: OciDigest
    media_type: str
    size: int
    config_digest: OciDigest | None
    materials: tuple[BuildMaterial, ...]


def parse_metadata(text: str) -> BuildMetadata:
    """What a metadata file says. Raises `InvalidMetadataError` if it names no image."""
    try:
        document = json.loads(text)
        descriptor = document["containerimage.descriptor"]
        config_digest = document.get("containerimage.config.digest")
        return BuildMetadata(
            digest=parse_oci_digest(descriptor["digest"]),
            media_type=str(descriptor["mediaType"]),
            size=int(descriptor["size"]),
            config_digest=None if config_digest is None else parse_oci_digest(config_digest),
            materials=_materials(document),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise InvalidMetadataError(f"buildx wrote no usable metadata: {e!r}.") from e


def _materials(document: dict[str, dict[str, object]]) -> tuple[BuildMaterial, ...]:
    """The materials of all platforms, each once, sorted, so that equal builds give equal text."""
    found = set()
    for key, provenance in document.items():
        if key == _PROVENANCE or key.startswith(f"{_PROVENANCE}/"):
            materials = provenance.get("materials") or []
            if not isinstance(materials, list):
                raise InvalidMetadataError(f"The materials under {key!r} are not a list.")
            for material in materials:
                for algorithm, value in sorted(material["digest"].items()):
                    found.add(BuildMaterial(material["uri"], f"{algorithm}:{value}"))
    return tuple(sorted(found))
