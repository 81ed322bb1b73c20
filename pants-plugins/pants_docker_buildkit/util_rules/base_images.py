"""What digest does each image that the Dockerfile names resolve to?"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.compat import uncacheable_rule
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Missing, Unknown
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.mirrors import image_mirrors
from pants_docker_buildkit.util_rules.session import ask_registries


@dataclass(frozen=True)
class BaseImage:
    """The reference with its digest, or in a sentence why there is none."""

    pinned: ImageReference | None
    problem: str = ""


@uncacheable_rule(desc="Resolve base image")
async def resolve_base_image(
    reference: ImageReference, subsystem: DockerBuildKitSubsystem
) -> BaseImage:
    """What a reference with a tag stands for in this session."""
    read = image_mirrors(subsystem).of(reference)
    (answer,) = await ask_registries([read.with_tag(read.tag or "latest")])
    if isinstance(answer, Unknown):
        return BaseImage(None, str(answer.error))
    if isinstance(answer, Missing):
        return BaseImage(None, f"The registry {read.registry} has no image {read}.")
    return BaseImage(reference.pinned(answer.descriptor.digest))
