"""What some content is: its media type, digest and size.

https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants_docker_buildkit.oci.content import verify_content
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform

ATTESTATION_TYPE_ANNOTATION = "vnd.docker.reference.type"

_ATTESTATION_MANIFEST = "attestation-manifest"


@dataclass(frozen=True)
class Descriptor:
    """What some content is, in a manifest that refers to it or an answer that offers it.

    Annotations are pairs sorted by key, so that equal descriptors are equal and hashable.
    """

    media_type: str
    digest: OciDigest
    size: int
    platform: ImagePlatform | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Descriptor:
        """What this content is."""
        return cls(media_type, sha256_digest(content), len(content))

    def to_document(self) -> dict[str, Any]:
        """The members that every descriptor has, in terms of JSON."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    def annotation(self, key: str) -> str | None:
        """The value of an annotation."""
        return dict(self.annotations).get(key)

    @property
    def is_attestation(self) -> bool:
        """Whether this is BuildKit's manifest of provenance or SBOM, not of an image to run.

        https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
        """
        return self.annotation(ATTESTATION_TYPE_ANNOTATION) == _ATTESTATION_MANIFEST

    def verify(self, content: bytes) -> bytes:
        """`content`, once it is known to be what this descriptor says."""
        return verify_content(content, self.digest, self.size)
