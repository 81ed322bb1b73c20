"""A file with the references of images, in the formats that tools read.

The same images under the same keys give the same bytes, so whoever reads the file is only touched
when an image changes. The formats are described in `docs/consuming.md`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

import yaml

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.invalid_text import InvalidTextError
from pants_docker_buildkit.oci.platform_image import PlatformImage

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENDINGS = ("", "_REPOSITORY", "_DIGEST", "_PLATFORMS")


@dataclass(frozen=True)
class PinnedImage:
    """An image in at least one registry, as those who deploy it name it.

    `references` are `registry/repository@sha256:…`, one for each registry, in the order of its
    target.
    """

    digest: OciDigest
    references: tuple[str, ...]
    platforms: tuple[PlatformImage, ...]

    @property
    def reference(self) -> str:
        """The reference in the first of its registries."""
        return self.references[0]

    @property
    def repository(self) -> str:
        """`registry/repository` of the first reference."""
        return self.reference.partition("@")[0]


class RefsFormat(str, Enum):
    """How a file spells references."""

    JSON = "json"
    YAML = "yaml"
    ENV = "env"
    TEXT = "text"

    @property
    def file_ending(self) -> str:
        """What the name of such a file ends in."""
        return "txt" if self is RefsFormat.TEXT else str(self.value)


class InvalidRefsKeyError(InvalidTextError):
    """A key cannot be written in a format."""

    noun = "key"


def check_keys(keys: Iterable[str], refs_format: RefsFormat) -> None:
    """Raise `InvalidRefsKeyError` for a key that a file in this format cannot have."""
    found: set[str] = set()
    for key in sorted(keys):
        if not key.isprintable() or not key:
            raise InvalidRefsKeyError(key, "be printable text")
        if refs_format is not RefsFormat.ENV:
            continue
        if not _VARIABLE.fullmatch(key):
            raise InvalidRefsKeyError(key, "be the name of an environment variable")
        for name in (f"{key}{ending}" for ending in _ENDINGS):
            if name in found:
                raise InvalidRefsKeyError(
                    key, f"not give the variable {name}, which another key gives, too"
                )
            found.add(name)


def render_refs(images: Mapping[str, PinnedImage], refs_format: RefsFormat) -> bytes:
    """The content of the file. Raises `InvalidRefsKeyError`."""
    check_keys(images, refs_format)
    ordered = dict(sorted(images.items()))
    if refs_format is RefsFormat.JSON:
        text = json.dumps(_document(ordered), indent=2) + "\n"
    elif refs_format is RefsFormat.YAML:
        document = _document(ordered)
        text = str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000))
    elif refs_format is RefsFormat.ENV:
        text = _lines(f"{name}={shlex.quote(value)}" for name, value in _variables(ordered).items())
    else:
        text = _lines(image.reference for image in ordered.values())
    return text.encode()


def _document(images: Mapping[str, PinnedImage]) -> dict[str, dict[str, object]]:
    return {
        key: {
            "reference": image.reference,
            "repository": image.repository,
            "digest": str(image.digest),
            "references": list(image.references),
            "platforms": [
                {"platform": str(each.platform), "digest": str(each.manifest_digest)}
                for each in image.platforms
            ],
        }
        for key, image in images.items()
    }


def _variables(images: Mapping[str, PinnedImage]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, image in images.items():
        platforms = ",".join(str(each.platform) for each in image.platforms)
        values = (image.reference, image.repository, str(image.digest), platforms)
        found.update(zip((f"{key}{ending}" for ending in _ENDINGS), values))
    return found


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
