"""Read image manifests and image indexes, OCI's and Docker's.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md and image-index.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import InvalidOciDigestError, parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.media_types import (
    IMAGE_MEDIA_TYPES,
    INDEX_MEDIA_TYPES,
    MANIFEST_MEDIA_TYPES,
    MediaType,
)

MAX_MANIFEST_SIZE = 4 * 1024 * 1024
"""What a registry must accept as a manifest, and the most we read as one."""

MAX_INDEX_DEPTH = 4
"""How deep indexes may be nested; the ones people make are one deep."""

_SCHEMA_VERSION = 2


class InvalidManifestError(ValueError):
    """Bytes that should be a manifest are not one, or not one we understand."""

    def __init__(self, finding: str) -> None:
        super().__init__(f"This is no valid image manifest or image index: {finding}.")


@dataclass(frozen=True)
class ImageManifest:
    """One image for one platform: a config and an ordered list of layers."""

    media_type: MediaType
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The content a registry must hold before it takes this manifest."""
        return (self.config, *self.layers)


@dataclass(frozen=True)
class ImageIndex:
    """A manifest that lists manifests, one for each platform, and their attestations."""

    media_type: MediaType
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The content a registry must hold before it takes this index."""
        return self.manifests

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The manifests of images, without the attestations."""
        return tuple(each for each in self.manifests if not each.is_attestation)


Manifest = Union[ImageManifest, ImageIndex]
"""What a manifest digest can name."""


def parse_manifest(content: bytes, media_type: str | None = None) -> Manifest:
    """The manifest in `content`.

    `media_type` is what the server or the referring descriptor says it is. Content that says
    something else of itself is refused, as is content that could be read as an image manifest and
    as an index (https://github.com/advisories/GHSA-mc8v-mgrf-8f4m).
    """
    try:
        document = JsonObject.parse(content)
        kind = _media_type(document, media_type)
        if document.natural("schemaVersion") != _SCHEMA_VERSION:
            raise InvalidManifestError("only schema version 2 is supported")
        return _read_manifest(document, kind)
    except InvalidJsonError as e:
        raise InvalidManifestError(str(e)) from e


def _read_manifest(document: JsonObject, kind: MediaType) -> Manifest:
    subject = _descriptor(document.member("subject")) if "subject" in document else None
    annotations = document.text_pairs("annotations")
    if kind in INDEX_MEDIA_TYPES:
        # Some registries write `null` where nothing refers to an image.
        is_empty = "manifests" in tuple(document) and "manifests" not in document
        listed = () if is_empty else document.objects("manifests")
        return ImageIndex(kind, tuple(map(_descriptor, listed)), subject, annotations)
    config = _descriptor(document.member("config"))
    # BuildKit writes `null` for an image that has only labels.
    layers = document.objects("layers") if "layers" in document else ()
    return ImageManifest(
        kind, config, tuple(_descriptor(each) for each in layers), subject, annotations
    )


def _media_type(document: JsonObject, told: str | None) -> MediaType:
    written = document.optional_text("mediaType")
    if told and written and told != written:
        raise InvalidManifestError(f"its media type is {written}, but should be {told}")
    is_index = "manifests" in document
    is_image = "config" in document or "layers" in document
    if is_index and is_image:
        raise InvalidManifestError("it lists both layers and manifests")
    guess = MediaType.OCI_IMAGE_INDEX if is_index else MediaType.OCI_IMAGE_MANIFEST
    kind = told or written or guess
    if kind not in MANIFEST_MEDIA_TYPES:
        raise InvalidManifestError(f"its media type is {kind}")
    if (is_index and kind in IMAGE_MEDIA_TYPES) or (is_image and kind in INDEX_MEDIA_TYPES):
        raise InvalidManifestError(f"its content is not that of the media type {kind}")
    return MediaType(kind)


def _descriptor(members: JsonObject) -> Descriptor:
    try:
        content_digest = parse_oci_digest(members.text("digest"))
    except InvalidOciDigestError as e:
        raise InvalidManifestError(str(e).rstrip(".")) from e
    return Descriptor(
        media_type=members.text("mediaType"),
        digest=content_digest,
        size=members.natural("size"),
        platform=read_platform(members.member("platform")) if "platform" in members else None,
        annotations=members.text_pairs("annotations"),
    )


def read_platform(members: JsonObject) -> ImagePlatform:
    """The platform that a descriptor or a config names."""
    return ImagePlatform.create(
        members.text("os"),
        members.text("architecture"),
        members.optional_text("variant"),
        members.optional_text("os.version"),
    )
