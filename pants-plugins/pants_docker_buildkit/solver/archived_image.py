"""Unpack the image archive of a file target, for builds that are based on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.oci.digest import OciDigest, parse_oci_digest
from pants_docker_buildkit.oci.image_archive import InvalidArchiveError, unpack_image
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.manifest import InvalidManifestError
from pants_docker_buildkit.oci.media_types import IMAGE_MEDIA_TYPES
from pants_docker_buildkit.oci.platform_image import PlatformImage, read_platform_images
from pants_docker_buildkit.solver.errors import UnusableArchiveError
from pants_docker_buildkit.solver.input_tree import OUTPUT_LAYOUT

ARCHIVE_FILE = "image.tar"
"""Where the archive lies, in the working directory of the process."""


@dataclass(frozen=True)
class ArchivedImage:
    """The image in an archive, and its images for those platforms that are in it."""

    digest: OciDigest
    platforms: tuple[PlatformImage, ...]


def unpack_archive(directory: Path) -> ArchivedImage | None:
    """Write the image of the archive in `directory` as a layout beside it.

    `None` where the file holds something else; then the layout is empty. Raises
    `UnusableArchiveError`.
    """
    layout = ImageLayout(directory / OUTPUT_LAYOUT)
    try:
        root = unpack_image(directory / ARCHIVE_FILE, layout.directory)
        if root is None:
            layout.directory.mkdir()
            return None
        images = (
            read_platform_images(each, layout.read)
            for each in layout.reachable(root, skips_missing_images=True)
            if each.media_type in IMAGE_MEDIA_TYPES and not each.is_attestation
        )
        return ArchivedImage(root.digest, tuple(image for each in images for image in each))
    except (InvalidArchiveError, InvalidLayoutError) as e:
        raise UnusableArchiveError(e.finding) from e
    except InvalidManifestError as e:
        raise UnusableArchiveError(str(e).rstrip(".")) from e


def render_archived_image(image: ArchivedImage | None) -> str:
    """What the process prints."""
    if image is None:
        return json.dumps({})
    platforms = [each.to_document() for each in image.platforms]
    return json.dumps({"digest": image.digest, "platforms": platforms})


def parse_archived_image(text: bytes) -> ArchivedImage | None:
    """What `render_archived_image` wrote. Raises `ValueError` for anything else."""
    document = JsonObject.parse(text)
    if "digest" not in document:
        return None
    platforms = tuple(map(PlatformImage.from_document, document.objects("platforms")))
    return ArchivedImage(parse_oci_digest(document.text("digest")), platforms)
