"""Does a named build context stand in for an image or a stage?

BuildKit compares names as Docker spells references: `docker.io/library/alpine:latest` is `alpine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.reference import (
    DEFAULT_TAG,
    DOCKER_HUB,
    ImageReference,
    InvalidImageReferenceError,
)

_NEVER_REPLACED = frozenset({"scratch", "context"})
"""Stages that nothing replaces. Of images, BuildKit asks by the whole name, which is neither."""

_OFFICIAL_PREFIX = f"{DOCKER_HUB}/library/"


@dataclass(frozen=True)
class NamedContexts:
    """The named contexts of a build, by the name under which BuildKit looks them up."""

    names: Mapping[str, str]

    @classmethod
    def create(cls, names: Iterable[str]) -> NamedContexts:
        """The contexts with these names, each with an optional `::platform`."""
        found = {}
        for given in names:
            name, separator, platform = given.partition("::")
            found[f"{_familiar_name(name) or name}{separator}{platform}"] = given
        return cls(found)

    def find_for_stage(self, name: str, platform: ImagePlatform) -> str | None:
        """The context, as it was named, that stands in for the stage `name`."""
        return None if name.lower() in _NEVER_REPLACED else self.find(name, platform)

    def find(self, name: str, platform: ImagePlatform) -> str | None:
        """The context, as it was named, that stands in for the image `name`."""
        if not self.names:
            return None
        familiar = _familiar_name(name)
        if familiar is None:
            return None
        return self.names.get(f"{familiar}::{platform}", self.names.get(familiar))


def is_image_reference(text: str) -> bool:
    """Whether BuildKit would accept `text` as the reference of an image."""
    try:
        ImageReference.parse_familiar(text)
    except InvalidImageReferenceError:
        return False
    return True


def same_names(names: Iterable[str]) -> tuple[str, str] | None:
    """Two of these names of contexts that BuildKit takes for one, if there are any."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_familiar_name(name) or name, name)
        if other != name:
            return other, name
    return None


def _familiar_name(text: str) -> str | None:
    try:
        name = str(ImageReference.parse_familiar(text))
    except InvalidImageReferenceError:
        return None
    name = name.removesuffix(f":{DEFAULT_TAG}")
    if name.startswith(_OFFICIAL_PREFIX) and "/" not in name[len(_OFFICIAL_PREFIX) :]:
        return name[len(_OFFICIAL_PREFIX) :]
    return name.removeprefix(f"{DOCKER_HUB}/")
