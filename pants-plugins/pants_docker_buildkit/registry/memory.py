"""What sessions learn of registries and the next ones may rely on."""

from __future__ import annotations

from dataclasses import dataclass, field

from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.pace import Paces


@dataclass(frozen=True)
class RegistryMemory:
    """Lives as long as a Pants process. Any thread may use it."""

    paces: Paces = field(default_factory=Paces)
    manifests: KnownManifests = field(default_factory=KnownManifests)
