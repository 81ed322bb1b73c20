"""What `pants package` returns for an image, and dependents consume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pants.backend.docker.package_types import BuiltDockerImage
from pants.core.goals.package import BuiltPackage
from pants.engine.fs import EMPTY_DIGEST, Digest

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.referrer import Referrer


@dataclass(frozen=True)
class BuiltBuildKitImage(BuiltDockerImage):
    """An image that is where its record says.

    As Pants' own `BuiltDockerImage`, it has the pinned references as its `tags`, so that a core
    `docker_image` can be built on it. `references` is empty for an image that is only an OCI image
    layout, whose tree is `layout`. Then the tag says so, to those who see `docker build` refuse it.
    `provenance` is what is to be beside it in registries, where there is one.
    """

    # Fields need defaults, because those of the class that this one extends have some.
    image_digest: OciDigest | None = None
    references: tuple[str, ...] = ()
    layout: Digest = EMPTY_DIGEST
    platforms: tuple[PlatformImage, ...] = ()
    provenance: Optional[Referrer] = None


def image_in(package: BuiltPackage) -> BuiltBuildKitImage:
    """The image that was packaged."""
    (artifact,) = package.artifacts
    assert isinstance(artifact, BuiltBuildKitImage)
    return artifact
