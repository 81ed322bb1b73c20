"""Say beside the tar of a root file system how a container of it would be started."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.image_config import ImageConfig
from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.manifest import ImageIndex

ROOT_FILESYSTEM = "rootfs.tar"
IMAGE_METADATA = "metadata.json"


def write_image_metadata(layout_directory: Path, destination: Path) -> None:
    """Write the file for the image of a layout, which is removed.

    For several platforms it has an object for each, under the name of its directory in the tar.
    Raises `InvalidLayoutError`.
    """
    layout = ImageLayout.open(layout_directory)
    images = list(_find_images(layout, layout.root()))
    documents = {
        "" if each.platform is None else str(each.platform).replace("/", "_"): _describe(
            layout, config
        )
        for each, config in images
    }
    document = documents if len(images) > 1 else next(iter(documents.values()), {})
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    (destination / IMAGE_METADATA).write_text(f"{text}\n", encoding="utf-8")
    shutil.rmtree(layout_directory)


def _find_images(
    layout: ImageLayout, root: Descriptor, depth: int = 0
) -> Iterator[tuple[Descriptor, Descriptor]]:
    """The manifests of a layout that was just written, each with its config."""
    content = layout.manifest(root)
    if not isinstance(content, ImageIndex):
        yield root, content.config
        return
    if depth:
        raise InvalidLayoutError(layout.directory, "its indexes are nested")
    for each in content.images:
        yield from _find_images(layout, each, depth + 1)


def _describe(layout: ImageLayout, config: Descriptor) -> dict[str, Any]:
    """What an image's config says of its containers, after the OCI image specification."""
    try:
        found = ImageConfig.parse(layout.read(config))
    except InvalidJsonError as e:
        raise InvalidLayoutError(layout.directory, f"in a config, {e}") from e
    return {
        "env": list(found.variables),
        "user": found.user,
        "workdir": found.workdir or "/",
        "entrypoint": list(found.entrypoint),
        "cmd": list(found.cmd),
    }
