"""The image record: what `package` writes for an image, and all that a dependent needs of it.

The format is described in `docs/image-record.md`. The same image gives the same bytes on every
machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.solver.result import BuildResult

SCHEMA_VERSION = 1
FILE_ENDING = "image.json"


@dataclass(frozen=True)
class ImageRecord:
    """One image, where it is, and what it was made of.

    `references` are pinned; empty for an image that is only an OCI image layout.
    """

    target: str
    context_digest: str
    result: BuildResult
    repositories: tuple[str, ...]

    @property
    def image_digest(self) -> OciDigest:
        """The digest of the manifest, or of the index of several platforms."""
        return self.result.digest

    @property
    def references(self) -> tuple[str, ...]:
        """`registry/repository@sha256:…`, one for each registry."""
        return tuple(f"{name}@{self.image_digest}" for name in self.repositories)

    def to_json(self) -> bytes:
        """The content of the record's file."""
        result = self.result
        document = {
            "schema": SCHEMA_VERSION,
            "target": self.target,
            "context_digest": self.context_digest,
            "build_digest": result.build_digest,
            "image": {
                "digest": result.digest,
                "media_type": result.media_type,
                "size": result.size,
            },
            "platforms": [each.to_document() for each in result.platforms],
            "references": list(self.references),
            "materials": [asdict(each) for each in result.materials],
        }
        return (json.dumps(document, indent=2) + "\n").encode()
