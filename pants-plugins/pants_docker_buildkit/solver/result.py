"""What a build process prints, which is all that the process cache keeps of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage

SCHEMA_VERSION = 1


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

    def to_json(self) -> str:
        """The same text for equal results."""
        document = {
            "schema": SCHEMA_VERSION,
            "build_digest": self.build_digest,
            "digest": self.digest,
            "media_type": self.media_type,
            "size": self.size,
            "platforms": [
                {
                    "platform": str(each.platform),
                    "digest": each.manifest_digest,
                    "config_digest": each.config_digest,
                }
                for each in self.platforms
            ],
            "materials": [{"uri": each.uri, "digest": each.digest} for each in self.materials],
        }
        return json.dumps(document, indent=1, sort_keys=True)


def parse_build_result(text: bytes, build_digest: str) -> BuildResult:
    """The result of the build that `build_digest` identifies. Anything else is refused."""
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA_VERSION:
            raise InvalidBuildResultError(f"Its schema is {document['schema']!r}.")
        if document["build_digest"] != build_digest:
            raise InvalidBuildResultError(f"It is of the build {document['build_digest']!r}.")
        return BuildResult(
            build_digest=build_digest,
            digest=parse_oci_digest(document["digest"]),
            media_type=str(document["media_type"]),
            size=int(document["size"]),
            platforms=tuple(
                PlatformImage(
                    ImagePlatform.parse(each["platform"]),
                    parse_oci_digest(each["digest"]),
                    parse_oci_digest(each["config_digest"]),
                )
                for each in document["platforms"]
            ),
            materials=tuple(
                BuildMaterial(str(each["uri"]), str(each["digest"]))
                for each in document["materials"]
            ),
        )
    except (KeyError, TypeError, ValueError) as e:
        raise InvalidBuildResultError(f"It cannot be read: {e}") from e
