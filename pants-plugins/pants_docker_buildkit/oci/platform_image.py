"""Find the images, one for each platform, that a digest stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.manifest import (
    MAX_INDEX_DEPTH,
    ImageIndex,
    InvalidManifestError,
    parse_manifest,
)

ReadContent = Callable[[Descriptor], bytes]
"""Gives the verified bytes that a descriptor names, from a layout or a registry."""


@dataclass(frozen=True)
class PlatformImage:
    """The image for one platform, by the digest of its manifest and that of its config."""

    platform: ImagePlatform
    manifest_digest: OciDigest
    config_digest: OciDigest


def read_platform_images(root: Descriptor, read: ReadContent) -> tuple[PlatformImage, ...]:
    """The images that `root`, a manifest or an index, stands for, sorted by platform.

    Attestations are left out. Where an index does not name a platform, the config does.
    """
    images = _walk(root, read, set(), depth=0)
    return tuple(sorted(images, key=lambda image: (str(image.platform), image.manifest_digest)))


def _walk(
    root: Descriptor, read: ReadContent, indexes: set[OciDigest], depth: int
) -> Iterator[PlatformImage]:
    if depth > MAX_INDEX_DEPTH:
        raise InvalidManifestError("indexes are nested too deeply")
    content = parse_manifest(read(root), root.media_type)
    if isinstance(content, ImageIndex):
        if root.digest in indexes:
            # A few indexes that list each other many times would take for ever.
            return
        indexes.add(root.digest)
        for each in content.images:
            yield from _walk(each, read, indexes, depth + 1)
    else:
        platform = root.platform or read_config_platform(read(content.config))
        yield PlatformImage(platform, root.digest, content.config.digest)


def read_config_platform(config: bytes) -> ImagePlatform:
    """The platform that an image's config names."""
    try:
        members = JsonObject.parse(config)
        return ImagePlatform.create(
            members.text("os"),
            members.text("architecture"),
            members.optional_text("variant"),
            members.optional_text("os.version"),
        )
    except InvalidJsonError as e:
        raise InvalidManifestError(f"in its config, {e}") from e
