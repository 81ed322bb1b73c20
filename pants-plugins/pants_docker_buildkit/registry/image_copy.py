"""Give a repository the parts of an image that it lacks, and nothing else.

Blobs come first and manifests after all that they refer to, so a copy that breaks off leaves
nothing that looks like an image. What got there stays, and the next attempt goes on from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import (
    MAX_INDEX_DEPTH,
    InvalidManifestError,
    parse_manifest,
)
from pants_docker_buildkit.oci.media_types import is_foreign_layer, is_manifest
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import Inquiry, UnexpectedResponseError
from pants_docker_buildkit.registry.image_content import ImageContent


@dataclass(frozen=True)
class CopiedParts:
    """What a copy had to do."""

    manifests_written: int = 0
    blobs_mounted: int = 0
    blobs_sent: int = 0
    bytes_sent: int = 0


def copy_image(content: ImageContent, client: RegistryClient, repository: str) -> CopiedParts:
    """Put all of `content` into `repository`, under its digest and no tag.

    Raises a `RegistryError` where either registry does not take part.
    """
    copy = _Copy(content, client, repository)
    copy.add(content.root())
    return CopiedParts(copy.manifests_written, copy.mounted, copy.sent, copy.bytes_sent)


class _Copy:
    def __init__(self, content: ImageContent, client: RegistryClient, repository: str) -> None:
        self._content = content
        self._client = client
        self._repository = repository
        self._source_repository = content.repository_in(client.registry)
        self._done: set[OciDigest] = set()
        self.manifests_written = 0
        self.mounted = 0
        self.sent = 0
        self.bytes_sent = 0

    def add(self, manifest: Descriptor, depth: int = 0) -> None:
        """Put a manifest there, after everything that it refers to."""
        if depth > MAX_INDEX_DEPTH:
            raise self._refused(manifest, "its indexes are nested too deeply")
        # A registry takes a manifest only once it has all of it: one that is there is whole.
        if self._client.head_manifest(self._repository, manifest.digest) is not None:
            return
        written = self._content.manifest(manifest)
        try:
            children = parse_manifest(written, manifest.media_type).children
        except InvalidManifestError as e:
            raise self._refused(manifest, str(e).rstrip(".")) from e
        for child in children:
            if child.digest in self._done:
                continue
            self._done.add(child.digest)
            if is_manifest(child.media_type):
                self.add(child, depth + 1)
            else:
                self._add_blob(child)
        self._client.put_manifest(self._repository, manifest.digest, written, manifest.media_type)
        self.manifests_written += 1

    def _add_blob(self, blob: Descriptor) -> None:
        if self._client.has_blob(self._repository, blob.digest):
            return
        if is_foreign_layer(blob.media_type) and not self._content.has_blob(blob):
            return
        was_sent = self._client.upload_blob(
            self._repository,
            blob,
            lambda: self._content.blob(blob),
            source_repository=self._source_repository,
        )
        if was_sent:
            self.sent += 1
            self.bytes_sent += blob.size
        else:
            self.mounted += 1

    def _refused(self, manifest: Descriptor, finding: str) -> UnexpectedResponseError:
        name = f"{self._client.registry}/{self._repository}"
        action = f"copy {manifest.digest} to {name}"
        return UnexpectedResponseError(Inquiry(self._client.registry, action), finding)
