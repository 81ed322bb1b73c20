"""Give a repository the parts of an image that it lacks, and nothing else.

Blobs come first and manifests after all that they refer to, so a copy that breaks off leaves
nothing that looks like an image. What got there stays, and the next attempt goes on from it.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from functools import partial

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import MAX_INDEX_DEPTH, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import is_foreign_layer, is_manifest
from pants_docker_buildkit.registry.client import Purpose, RegistryClient
from pants_docker_buildkit.registry.errors import Inquiry, UnexpectedResponseError
from pants_docker_buildkit.registry.image_content import ImageContent, RepositoryContent
from pants_docker_buildkit.registry.workers import Workers

_BLOBS_AT_A_TIME = 4


def copy_image(content: ImageContent, client: RegistryClient, repository: str) -> None:
    """Put all of `content` into `repository`, under its digest and no tag.

    Raises a `RegistryError` where either registry does not take part.
    """
    workers = Workers("image-copy", _BLOBS_AT_A_TIME)
    try:
        _Copy(content, client, repository, workers).add(content.root())
    finally:
        workers.close()


class _Copy:
    def __init__(
        self, content: ImageContent, client: RegistryClient, repository: str, workers: Workers
    ) -> None:
        self._content = content
        self._client = client
        self._repository = repository
        self._workers = workers
        self._source_repository: str | None = None
        if isinstance(content, RepositoryContent) and content.client.registry == client.registry:
            self._source_repository = content.repository
        self._blobs: dict[OciDigest, Future[None]] = {}

    def add(self, manifest: Descriptor, depth: int = 0) -> None:
        """Put a manifest there, after everything that it refers to."""
        if depth > MAX_INDEX_DEPTH:
            raise self._refused(manifest, "its indexes are nested too deeply")
        # A registry takes a manifest only once it has all of it: one that is there is whole.
        if self._client.head_manifest(self._repository, manifest.digest, Purpose.WRITE):
            return
        written = self._content.read(manifest)
        try:
            children = parse_manifest(written, manifest.media_type).children
        except InvalidManifestError as e:
            raise self._refused(manifest, str(e).rstrip(".")) from e
        blobs = {each.digest: each for each in children if not is_manifest(each.media_type)}
        for each in blobs.values():
            if each.digest not in self._blobs:
                self._blobs[each.digest] = self._workers.submit(partial(self._add_blob, each))
        for each in children:
            if is_manifest(each.media_type):
                self.add(each, depth + 1)
        futures = [self._blobs[digest] for digest in blobs]
        # Whoever hears of a failure may take the content away, so nobody may still be reading it.
        wait(futures)
        for future in futures:
            future.result()
        self._client.put_manifest(self._repository, manifest.digest, written, manifest.media_type)

    def _add_blob(self, blob: Descriptor) -> None:
        if self._client.has_blob(self._repository, blob.digest, to_write=True):
            return
        if is_foreign_layer(blob.media_type) and not self._content.has_blob(blob.digest):
            return
        self._client.upload_blob(
            self._repository,
            blob,
            lambda: self._content.stream(blob),
            source_repository=self._source_repository,
        )

    def _refused(self, manifest: Descriptor, finding: str) -> UnexpectedResponseError:
        name = f"{self._client.registry}/{self._repository}"
        action = f"copy {manifest.digest} to {name}"
        return UnexpectedResponseError(Inquiry(self._client.registry, action), finding)
