"""Read the file that `--metadata-file` names; the only file that knows its keys.

https://docs.docker.com/reference/cli/docker/buildx/build/#metadata-file
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.registry.redaction import redact_user_info

ReadIndex = Callable[[OciDigest], bytes]
"""Gives the verified bytes of an index that was pushed."""

_DESCRIPTOR = "containerimage.descriptor"
_DIGEST = "containerimage.digest"
_PROVENANCE = "buildx.build.provenance"
_BUILD_REFERENCE = "buildx.build.ref"

_UNUSABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What comes of JSON that has another shape."""


class InvalidMetadataError(ValueError):
    """buildx wrote something that does not say which image it built."""


@dataclass(frozen=True, order=True)
class BuildMaterial:
    """Something that the build read from outside: an image, a Git repository, a download.

    User names and passwords in its URI are left out.
    """

    uri: str
    digest: str


@dataclass(frozen=True)
class BuildMetadata:
    """What buildx says of the image that it built.

    `digest` is that of the manifest, or of the index of several platforms. `config_digest` is known
    only for an image of one platform. `build_reference` names the build in its builder's history.
    """

    digest: OciDigest
    media_type: str
    size: int
    config_digest: OciDigest | None
    materials: tuple[BuildMaterial, ...]
    build_reference: str | None = None


def parse_metadata(text: str, read: ReadIndex | None = None) -> BuildMetadata:
    """What a metadata file says. Raises `InvalidMetadataError` if it names no image.

    Of an index that buildx merged from what several nodes pushed it says the digest only; `read`
    gives the rest.
    """
    try:
        document = json.loads(text)
        if _DESCRIPTOR not in document and read is not None:
            document[_DESCRIPTOR] = _describe(parse_oci_digest(document[_DIGEST]), read)
        descriptor = document[_DESCRIPTOR]
        config_digest = document.get("containerimage.config.digest")
        return BuildMetadata(
            digest=parse_oci_digest(descriptor["digest"]),
            media_type=str(descriptor["mediaType"]),
            size=int(descriptor["size"]),
            config_digest=None if config_digest is None else parse_oci_digest(config_digest),
            materials=_materials(document),
            # buildx puts the names of builder and node before it.
            build_reference=str(document.get(_BUILD_REFERENCE) or "").rpartition("/")[2] or None,
        )
    except _UNUSABLE as e:
        raise InvalidMetadataError(f"buildx wrote no usable metadata: {e!r}.") from e


def parse_provenance(text: str) -> tuple[BuildMaterial, ...]:
    """The materials that a provenance predicate names, of SLSA 0.2 or 1. Raises as above."""
    try:
        predicate = json.loads(text)
        if "buildDefinition" in predicate:
            materials = predicate["buildDefinition"].get("resolvedDependencies")
            predicate = {"materials": materials}
        return tuple(sorted(_read_materials(predicate)))
    except _UNUSABLE as e:
        raise InvalidMetadataError(f"buildx gave no usable provenance: {e!r}.") from e


def _describe(digest: OciDigest, read: ReadIndex) -> dict[str, object]:
    content = read(digest)
    media_type = json.loads(content)["mediaType"]
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _materials(document: dict[str, dict[str, object]]) -> tuple[BuildMaterial, ...]:
    """The materials of all platforms, each once, sorted, so that equal builds give equal text."""
    found: set[BuildMaterial] = set()
    for key, provenance in document.items():
        if key == _PROVENANCE or key.startswith(f"{_PROVENANCE}/"):
            found |= _read_materials(provenance)
    return tuple(sorted(found))


def _read_materials(predicate: dict[str, object]) -> set[BuildMaterial]:
    materials = predicate.get("materials") or []
    if not isinstance(materials, list):
        raise InvalidMetadataError("The materials of the provenance are not a list.")
    return {
        BuildMaterial(redact_user_info(material["uri"]), f"{algorithm}:{value}")
        for material in materials
        for algorithm, value in material["digest"].items()
    }
