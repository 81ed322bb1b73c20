"""An image that registries have, as those who deploy it name it."""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.platform_image import PlatformImage


@dataclass(frozen=True)
class PinnedImage:
    """An image in at least one registry.

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
