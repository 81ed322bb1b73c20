"""What a build process prints, which is all that the process cache keeps of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.oci.media_types import MANIFEST_MEDIA_TYPES
from pants_docker_buildkit.oci.platform_image import PlatformImage

SCHEMA_VERSION = 1
"""In no key: who raises it raises that of the definition, too, or caches keep results that this
version refuses.
"""


class InvalidBuildResultError(ValueError):
    """A cached build result is not one, or is that of another build."""


@dataclass(frozen=True)
class BuildResult:
    """The image that a build gave."""

    build_digest: str
    digest: OciDigest
    media_type: str
    size: int
    platforms: tuple[PlatformImage, ...]
    materials: tuple[BuildMaterial, ...]

    @property
    def descriptor(self) -> Descriptor:
        """What the image is, as somebody refers to it."""
        return Descriptor(self.media_type, self.digest, self.size)

    def to_json(self) -> str:
        """The same text for equal results."""
        document = {
            "schema": SCHEMA_VERSION,
            "build_digest": self.build_digest,
            "digest": self.digest,
            "media_type": self.media_type,
            "size": self.size,
            "platforms": [each.to_document() for each in self.platforms],
            "materials": [asdict(each) for each in self.materials],
        }
        return json.dumps(document, indent=1, sort_keys=True)


@dataclass(frozen=True)
class ArtifactsResult:
    """A build gave files, which are the output of its process, and no image."""

    build_digest: str

    def to_json(self) -> str:
        """The same text for equal results."""
        document = {"schema": SCHEMA_VERSION, "build_digest": self.build_digest}
        return json.dumps(document, indent=1, sort_keys=True)


def check_artifacts_result(text: bytes, build_digest: str) -> None:
    """Refuse what is not the result of the build of files that `build_digest` identifies."""
    if text.strip() != ArtifactsResult(build_digest).to_json().encode():
        raise InvalidBuildResultError(f"It is not of the build {build_digest!r}.")


def parse_build_result(text: bytes, build_digest: str, platforms: int) -> BuildResult:
    """The result of the build that `build_digest` identifies, for as many platforms as it had.

    Anything else is refused: it comes from a cache that others may write. Where the image is said
    to be is not in it, but in the key of the process.
    """
    try:
        document = JsonObject.parse(text)
        schema, found = document.natural("schema"), document.text("build_digest")
        if schema != SCHEMA_VERSION:
            raise InvalidBuildResultError(f"Its schema is {schema}.")
        if found != build_digest:
            raise InvalidBuildResultError(f"It is of the build {found!r}.")
        result = _read_result(document)
    except InvalidBuildResultError:
        raise
    except ValueError as e:
        raise InvalidBuildResultError(f"It cannot be read: {e}") from e
    if len(result.platforms) != platforms:
        raise InvalidBuildResultError(
            f"It must have the images of {platforms} platforms, but has {len(result.platforms)}."
        )
    return result


def _manifest_media_type(text: str) -> str:
    if text not in MANIFEST_MEDIA_TYPES:
        raise ValueError(f"{text!r} is no media type of a manifest")
    return text


def _read_result(document: JsonObject) -> BuildResult:
    return BuildResult(
        build_digest=document.text("build_digest"),
        digest=parse_oci_digest(document.text("digest")),
        media_type=_manifest_media_type(document.text("media_type")),
        size=document.natural("size"),
        platforms=tuple(
            PlatformImage.from_document(each) for each in document.objects("platforms")
        ),
        materials=tuple(
            BuildMaterial(each.text("uri"), each.text("digest"))
            for each in document.objects("materials")
        ),
    )
