"""Read manifests on a few threads, each once: what has a digest does not change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import Manifest, parse_manifest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers


class ManifestReads:
    """Reads manifests from registries, unless they are known. Any thread may ask."""

    def __init__(
        self, find_client: Callable[[str, str], RegistryClient], known: KnownManifests
    ) -> None:
        self._known = known
        self._workers = RegistryWorkers("registry-manifests", find_client)

    def submit(self, repository: ImageReference, digest: OciDigest) -> Future[Manifest]:
        """The manifest of this digest. Raises `RegistryError` or `InvalidManifestError` there."""
        read = partial(self._read, repository.repository, digest)
        return self._workers.submit(repository.registry, repository.repository, read)

    def close(self) -> None:
        """Cancel what was not begun. Waits for nothing."""
        self._workers.close()

    def _read(self, repository: str, digest: OciDigest, client: RegistryClient) -> Manifest:
        found = self._known.find(digest)
        if found is None:
            found = client.get_manifest(repository, digest)
            self._known.add(*found)
        descriptor, content = found
        return parse_manifest(content, descriptor.media_type)
