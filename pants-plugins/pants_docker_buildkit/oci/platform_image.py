"""Find the images, one for each platform, that a digest stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.manifest import (
    MAX_INDEX_DEPTH,
    ImageIndex,
    ImageManifest,
    InvalidManifestError,
    parse_manifest,
    read_platform,
)

ReadContent = Callable[[Descriptor], bytes]
"""Gives the verified bytes that a descriptor names, from a layout or a registry."""


@dataclass(frozen=True)
class PlatformImage:
    """The image for one platform, by the digest of its manifest and that of its config.

    `triggers` are what it has builds do that are based on it: instructions, without `ONBUILD`.
    """

    platform: ImagePlatform
    manifest_digest: OciDigest
    config_digest: OciDigest
    triggers: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: JsonObject) -> PlatformImage:
        """What `to_document` gave. Raises `ValueError` for anything else."""
        return cls(
            ImagePlatform.parse(document.text("platform")),
            parse_oci_digest(document.text("digest")),
            parse_oci_digest(document.text("config_digest")),
            document.texts("triggers"),
        )

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON, as records have it."""
        return {
            "platform": str(self.platform),
            "digest": self.manifest_digest,
            "config_digest": self.config_digest,
            **({"triggers": list(self.triggers)} if self.triggers else {}),
        }


def read_platform_images(root: Descriptor, read: ReadContent) -> tuple[PlatformImage, ...]:
    """The images that `root`, a manifest or an index, stands for, sorted by platform.

    Attestations are left out. Where an index does not name a platform, the config does.
    """
    return tuple(image for image, _ in read_platform_manifests(root, read))


def read_platform_manifests(
    root: Descriptor, read: ReadContent
) -> list[tuple[PlatformImage, ImageManifest]]:
    """The images as `read_platform_images` has them, each with its manifest."""
    found = _walk(root, read, set(), depth=0)
    return sorted(found, key=lambda each: (str(each[0].platform), each[0].manifest_digest))


def _walk(
    root: Descriptor, read: ReadContent, indexes: set[OciDigest], depth: int
) -> Iterator[tuple[PlatformImage, ImageManifest]]:
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
        config = read(content.config)
        platform = root.platform or read_config_platform(config)
        triggers = read_config_triggers(config)
        yield PlatformImage(platform, root.digest, content.config.digest, triggers), content


def read_config_platform(config: bytes) -> ImagePlatform:
    """The platform that an image's config names."""
    try:
        return read_platform(JsonObject.parse(config))
    except InvalidJsonError as e:
        raise InvalidManifestError(f"in its config, {e}") from e


def read_config_triggers(config: bytes) -> tuple[str, ...]:
    """What `ONBUILD` put into an image's config."""
    try:
        members = JsonObject.parse(config)
        return members.member("config").texts("OnBuild") if "config" in members else ()
    except InvalidJsonError as e:
        raise InvalidManifestError(f"in its config, {e}") from e


@dataclass(frozen=True)
class BaseConfig:
    """What the config of an image says to builds that are based on it.

    `triggers` are instructions, without `ONBUILD`; `platform` is `None` where it names none.
    """

    triggers: tuple[str, ...] = ()
    platform: ImagePlatform | None = None


def read_base_config(root: Descriptor, platform: ImagePlatform, read: ReadContent) -> BaseConfig:
    """What `root`, a manifest or an index, says to builds for `platform` that are based on it."""
    for _ in range(MAX_INDEX_DEPTH + 1):
        content = parse_manifest(read(root), root.media_type)
        if not isinstance(content, ImageIndex):
            config = read(content.config)
            try:
                own = read_config_platform(config)
            except InvalidManifestError:
                # BuildKit takes such an image, and gives its children no platform either.
                own = None
            return BaseConfig(read_config_triggers(config), own)
        chosen = choose_for_platform([each.platform for each in content.images], platform)
        if chosen is None:
            return BaseConfig()
        root = content.images[chosen]
    raise InvalidManifestError("indexes are nested too deeply")


def choose_for_platform(
    offered: Sequence[ImagePlatform | None], wanted: ImagePlatform
) -> int | None:
    """Which of some images is built on for a platform: its own, or one for the same processor.

    By its position. Of one image only, that one, whatever it is for.
    """
    for position, platform in enumerate(offered):
        if platform == wanted:
            return position
    for position, platform in enumerate(offered):
        if platform is None:
            continue
        if (platform.os, platform.architecture) == (wanted.os, wanted.architecture):
            return position
    return 0 if len(offered) == 1 else None
