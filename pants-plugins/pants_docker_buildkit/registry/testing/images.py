"""Small images for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.testing.fake_registry import Repository


@dataclass(frozen=True)
class SmallImage:
    """An image of one layer. `text` makes it different from others."""

    config: bytes
    layer: bytes
    manifest: bytes

    @classmethod
    def create(
        cls, text: str = "hello", triggers: Iterable[str] = (), architecture: str = "amd64"
    ) -> SmallImage:
        """An image that nobody can run, and that every registry takes."""
        layer = f"layer {text}".encode()
        config = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "config": {"OnBuild": list(triggers)} if triggers else {},
                "rootfs": {"type": "layers", "diff_ids": [sha256_digest(layer)]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_IMAGE_MANIFEST,
            "config": _describe(config, MediaType.OCI_IMAGE_CONFIG),
            "layers": [_describe(layer, MediaType.OCI_LAYER)],
        }
        return cls(config, layer, json.dumps(manifest).encode())

    @property
    def digest(self) -> OciDigest:
        """The digest of the manifest."""
        return sha256_digest(self.manifest)

    @property
    def parts(self) -> tuple[bytes, ...]:
        """All that the image consists of."""
        return (self.config, self.layer, self.manifest)

    @property
    def layer_blob(self) -> Descriptor:
        """What the layer is."""
        return Descriptor.of(self.layer, MediaType.OCI_LAYER)

    def store(self, repository: Repository, tag: str | None = None) -> OciDigest:
        """Let a repository of a fake registry have the image. Gives its digest."""
        for blob in (self.config, self.layer):
            repository.blobs[sha256_digest(blob)] = blob
        repository.manifests[self.digest] = (MediaType.OCI_IMAGE_MANIFEST.value, self.manifest)
        if tag is not None:
            repository.tags[tag] = self.digest
        return self.digest

    def push(self, client: RegistryClient, repository: str, tag: str | None = None) -> Descriptor:
        """Store the image in a repository, under its digest or a tag."""
        upload_bytes(client, repository, self.config)
        upload_bytes(client, repository, self.layer)
        media_type = MediaType.OCI_IMAGE_MANIFEST.value
        client.put_manifest(repository, tag or self.digest, self.manifest, media_type)
        return Descriptor.of(self.manifest, media_type)


def upload_bytes(client: RegistryClient, repository: str, content: bytes) -> OciDigest:
    """Store a blob that is at hand."""
    blob = Descriptor.of(content, MediaType.OCI_LAYER)
    client.upload_blob(repository, blob, lambda: [content])
    return blob.digest


def _describe(content: bytes, media_type: MediaType) -> dict[str, object]:
    return {"mediaType": media_type, "digest": sha256_digest(content), "size": len(content)}


def several_platforms(*images: SmallImage) -> bytes:
    """An image index of these images."""
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_IMAGE_INDEX,
        "manifests": [_describe(each.manifest, MediaType.OCI_IMAGE_MANIFEST) for each in images],
    }
    return json.dumps(document).encode()


def write_layout(directory: Path, root: bytes, *images: SmallImage) -> None:
    """An OCI image layout of an image index and the images that it lists."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (root, *(part for each in images for part in each.parts)):
        (blobs / sha256_digest(content).partition(":")[2]).write_bytes(content)
    index = {"schemaVersion": 2, "manifests": [_describe(root, MediaType.OCI_IMAGE_INDEX)]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
