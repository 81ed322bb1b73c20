"""The media types that this project writes, asks for and understands.

https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md and
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

from __future__ import annotations

from enum import Enum


class MediaType(str, Enum):
    """A media type of a manifest or a blob. Layers may carry others; those stay plain text."""

    OCI_IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

    def __str__(self) -> str:
        return self.value


INDEX_MEDIA_TYPES = (MediaType.OCI_IMAGE_INDEX, MediaType.DOCKER_MANIFEST_LIST)
"""A manifest that lists manifests: an OCI image index, or Docker's manifest list."""

IMAGE_MEDIA_TYPES = (MediaType.OCI_IMAGE_MANIFEST, MediaType.DOCKER_MANIFEST)
"""A manifest of one image for one platform."""

MANIFEST_MEDIA_TYPES = INDEX_MEDIA_TYPES + IMAGE_MEDIA_TYPES
"""All manifests, in the order in which a registry is asked for them."""


def is_manifest(media_type: str) -> bool:
    """Whether content of `media_type` is a manifest of either kind, not a blob."""
    return media_type in MANIFEST_MEDIA_TYPES


def is_foreign_layer(media_type: str) -> bool:
    """Whether a layer of `media_type` is fetched from elsewhere, and may be absent from a store."""
    return "foreign" in media_type or "nondistributable" in media_type
