"""Read an image for copying it: from a repository, or from an OCI image layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.layout import ImageLayout
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import Inquiry, ManifestUnknownError, Refusal


class RepositoryContent:
    """An image in a repository of a registry, read as from an `ImageLayout`."""

    def __init__(self, client: RegistryClient, repository: str, digest: OciDigest) -> None:
        self.client = client
        self.repository = repository
        self.digest = digest

    def root(self) -> Descriptor:
        """What the registry says of the digest. Raises where it does not have it."""
        found = self.client.head_manifest(self.repository, self.digest)
        if found is None:
            name = f"{self.client.registry}/{self.repository}@{self.digest}"
            inquiry = Inquiry(self.client.registry, f"read {name}")
            raise ManifestUnknownError(inquiry, Refusal(404))
        return found

    def read(self, descriptor: Descriptor) -> bytes:
        """A manifest, read from the registry."""
        return self.client.get_manifest(self.repository, descriptor.digest)[1]

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob, streamed from the registry."""
        return self.client.get_blob(self.repository, descriptor)

    def has_blob(self, digest: OciDigest) -> bool:
        """Whether the registry has the blob: foreign layers may be left out."""
        return self.client.has_blob(self.repository, digest)


ImageContent = Union[RepositoryContent, ImageLayout]
"""Everything that one image consists of. What it gives was checked against its digest."""
