"""Where are images read that name a registry which is out of reach?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pants_docker_buildkit.oci.reference import (
    ImageReference,
    InvalidRepositoryNameError,
    parse_registry,
    parse_repository_name,
)


@dataclass(frozen=True)
class ImageMirrors:
    """What stands in for registries, and for paths in them.

    `routes` are pairs of names, each a registry or a registry with a path. The longest that an
    image's name begins with is replaced. Tags and digests stay: what is read is the same image.
    """

    routes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, table: Mapping[str, str]) -> ImageMirrors:
        """The mirrors of an option. Raises `InvalidNameError`."""
        return cls(tuple(sorted((_name(key), _name(table[key], key)) for key in table)))

    def of(self, reference: ImageReference) -> ImageReference:
        """Where this image is read."""
        fitting = [each for each in self.routes if f"{reference.name}/".startswith(f"{each[0]}/")]
        if not fitting:
            return reference
        name, mirror = max(fitting, key=lambda each: len(each[0]))
        registry, _, path = f"{mirror}{reference.name[len(name) :]}".partition("/")
        return replace(reference, registry=registry, repository=path)


def _name(text: str, stands_for: str = "") -> str:
    registry, slash, path = text.rstrip("/").partition("/")
    parse_registry(registry)
    if slash:
        parse_repository_name(path)
    elif "/" in stands_for.rstrip("/"):
        # What it stands for may be a whole repository.
        raise InvalidRepositoryNameError(text, f"have a path, as {stands_for!r} has")
    return registry + slash + path
