"""Read an image for copying it: from a repository, or from an OCI image layout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.layout import ImageLayout
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import Inquiry, ManifestUnknownError, Refusal


class ImageContent(Protocol):
    """Everything that one image consists of. What it gives was checked against its digest."""

    def root(self) -> Descriptor:
        """The image's manifest, or the index of several platforms."""

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The content of the root, or of a manifest that it lists."""

    def blob(self, descriptor: Descriptor) -> Iterable[bytes]:
        """A config or layer in chunks. Raises at the end if it was other content."""

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here: foreign layers may be left out."""

    def repository_in(self, registry: str) -> str | None:
        """The repository of `registry` to mount blobs from, if the content is in one."""


class RepositoryContent:
    """An image in a repository of a registry."""

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

    def manifest(self, descriptor: Descriptor) -> bytes:
        """A manifest, read from the registry."""
        return self.client.get_manifest(self.repository, descriptor.digest)[1]

    def blob(self, descriptor: Descriptor) -> Iterable[bytes]:
        """A blob, streamed from the registry."""
        return self.client.get_blob(self.repository, descriptor)

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the registry has the blob."""
        return self.client.has_blob(self.repository, descriptor.digest)

    def repository_in(self, registry: str) -> str | None:
        """The repository, for its own registry."""
        return self.repository if registry == self.client.registry else None


class LayoutContent:
    """The one image of an OCI image layout. Raises `InvalidLayoutError` where that is broken."""

    def __init__(self, layout: ImageLayout) -> None:
        self._layout = layout

    def root(self) -> Descriptor:
        """What the layout's index lists."""
        return self._layout.root()

    def manifest(self, descriptor: Descriptor) -> bytes:
        """A manifest, read from its file."""
        return self._layout.read(descriptor)

    def blob(self, descriptor: Descriptor) -> Iterable[bytes]:
        """A blob, streamed from its file."""
        return self._layout.stream(descriptor)

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether there is a file for it."""
        return self._layout.has_blob(descriptor.digest)

    def repository_in(self, registry: str) -> str | None:
        """None: a layout is in no registry."""
        return None
