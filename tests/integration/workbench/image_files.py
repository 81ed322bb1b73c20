"""What files an image has."""

from __future__ import annotations

import io
import tarfile

from tests.integration.workbench.registry import Registry


def image_files(registry: Registry, reference: str) -> dict[str, str]:
    """The text of each regular file that the layers of an image for one platform add."""
    name = reference.partition("@")[0]
    found: dict[str, str] = {}
    for layer in registry.manifest(reference)["layers"]:
        content = io.BytesIO(registry.blob(name, layer["digest"]))
        with tarfile.open(fileobj=content) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    found[member.name] = file.read().decode("utf-8", "replace")
    return found
