"""Make the layout that BuildKit wrote one that is the same for the same image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError

_CREATED = "org.opencontainers.image.created"


def open_output_layout(directory: Path) -> ImageLayout:
    """The layout in `directory`, without what differs between two exports of one image.

    BuildKit notes in `index.json` when it exported, which is in no digest of the image: dependents
    whose input tree holds the layout would be built again.
    """
    # Where BuildKit writes blobs until they are whole; no part of the layout.
    shutil.rmtree(directory / "ingest", ignore_errors=True)
    layout = ImageLayout.open(directory)
    path = directory / "index.json"
    try:
        index = json.loads(path.read_bytes())
        for descriptor in index["manifests"]:
            descriptor.get("annotations", {}).pop(_CREATED, None)
        path.write_text(json.dumps(index, indent=1))
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as e:
        raise InvalidLayoutError(directory, "its index.json lists no manifests") from e
    return layout
