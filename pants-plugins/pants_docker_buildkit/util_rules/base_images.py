"""What digest does each image that the Dockerfile names resolve to?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, uncacheable_rule
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.util_rules.registry_access import (
    RegistryAccessRequest,
    prepare_registry_access,
)


@dataclass(frozen=True)
class BaseImageRequest:
    """Asks what a reference with a tag stands for in this session."""

    reference: ImageReference


@dataclass(frozen=True)
class BaseImage:
    """The reference with its digest, or in a sentence why there is none."""

    pinned: ImageReference | None
    problem: str = ""


@uncacheable_rule(desc="Resolve base image")
async def resolve_base_image(request: BaseImageRequest) -> BaseImage:
    reference = request.reference
    access = await prepare_registry_access(RegistryAccessRequest(), **implicitly())
    client = access.clients.client(reference.registry, reference.repository)
    try:
        descriptor = client.head_manifest(reference.repository, reference.tag or "latest")
    except RegistryError as e:
        return BaseImage(None, str(e))
    if descriptor is None:
        return BaseImage(None, f"The registry {reference.registry} has no image {reference}.")
    return BaseImage(reference.pinned(descriptor.digest))


def rules() -> Iterable[Rule]:
    return collect_rules()
