"""Does the client agree with a real registry?

`BUILDKIT_TESTS_REGISTRY` names one (host and port, plain HTTP, deletion enabled) that is there for
tests; each test uses a repository of its own.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import read_platform_images
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.confirmation import (
    ManifestConfirmations,
    Missing,
    Present,
)
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    ManifestUnknownError,
    PartsLostError,
)
from pants_docker_buildkit.registry.testing.images import SmallImage, upload_bytes

IMAGE = SmallImage.create()
MANIFEST_TYPE = MediaType.OCI_IMAGE_MANIFEST.value
LARGE = bytes(range(256)) * 20_000
LARGE_BLOB = Descriptor(MediaType.OCI_LAYER, sha256_digest(LARGE), len(LARGE))


@pytest.fixture
def address() -> str:
    address = os.environ.get("BUILDKIT_TESTS_REGISTRY")
    assert address, "set BUILDKIT_TESTS_REGISTRY to the host and port of a registry for tests"
    return address


@pytest.fixture
def clients() -> Iterator[RegistryClients]:
    clients = RegistryClients()
    yield clients
    clients.close()


@pytest.fixture
def client(address: str, clients: RegistryClients) -> RegistryClient:
    return clients.client(address)


@pytest.fixture
def repository() -> str:
    return f"registry-client-test/{uuid.uuid4().hex}"


def test_a_pushed_image_is_found_under_its_tag_and_its_digest(
    client: RegistryClient, repository: str
) -> None:
    pushed = IMAGE.push(client, repository, "1.0")
    assert client.head_manifest(repository, "1.0") == pushed
    assert client.head_manifest(repository, IMAGE.digest) == pushed
    assert client.get_manifest(repository, "1.0") == (pushed, IMAGE.manifest)
    assert b"".join(client.get_blob(repository, IMAGE.layer_blob)) == IMAGE.layer


def test_an_image_pushed_under_its_digest_has_no_tag(
    client: RegistryClient, repository: str
) -> None:
    IMAGE.push(client, repository)
    assert client.head_manifest(repository, IMAGE.digest) is not None
    assert client.head_manifest(repository, "latest") is None


def test_a_tag_moves_without_sending_blobs(client: RegistryClient, repository: str) -> None:
    IMAGE.push(client, repository, "old")
    newer = SmallImage.create("newer")
    newer.push(client, repository, "new")
    client.put_manifest(repository, "old", newer.manifest, MANIFEST_TYPE)
    moved = client.head_manifest(repository, "old")
    assert moved is not None
    assert moved.digest == newer.digest


def test_what_is_not_there_is_told_apart(client: RegistryClient, repository: str) -> None:
    assert client.head_manifest(repository, "1.0") is None
    IMAGE.push(client, repository, "1.0")
    with pytest.raises(ManifestUnknownError):
        client.get_manifest(repository, "2.0")
    with pytest.raises(BlobUnknownError):
        list(client.get_blob(repository, LARGE_BLOB))
    assert not client.has_blob(repository, LARGE_BLOB.digest)


def test_a_manifest_without_its_blobs_is_refused(client: RegistryClient, repository: str) -> None:
    with pytest.raises(PartsLostError, match=r"HTTP 4.. MANIFEST_BLOB_UNKNOWN"):
        client.put_manifest(repository, "1.0", IMAGE.manifest, MANIFEST_TYPE)


def test_a_large_blob_arrives_whole(client: RegistryClient, repository: str) -> None:
    pieces = [LARGE[start : start + 70_000] for start in range(0, len(LARGE), 70_000)]
    assert client.upload_blob(repository, LARGE_BLOB, lambda: pieces)
    assert b"".join(client.get_blob(repository, LARGE_BLOB)) == LARGE


def test_a_blob_of_another_repository_is_mounted(client: RegistryClient, repository: str) -> None:
    source = f"{repository}-source"
    content = f"only in {source}".encode()
    digest = upload_bytes(client, source, content)
    blob = Descriptor(MediaType.OCI_LAYER, digest, len(content))
    assert not client.upload_blob(repository, blob, lambda: [content], source_repository=source)
    assert client.has_blob(repository, digest)


def test_the_platform_of_an_image_is_read_from_its_config(
    client: RegistryClient, repository: str
) -> None:
    root = IMAGE.push(client, repository)

    def read(descriptor: Descriptor) -> bytes:
        if descriptor.media_type == MANIFEST_TYPE:
            return client.get_manifest(repository, descriptor.digest)[1]
        return b"".join(client.get_blob(repository, descriptor))

    (image,) = read_platform_images(root, read)
    assert str(image.platform) == "linux/amd64"
    assert image.config_digest == sha256_digest(IMAGE.config)


def test_many_manifests_are_confirmed_at_once(
    address: str, clients: RegistryClients, repository: str
) -> None:
    images = [SmallImage.create(str(number)) for number in range(40)]
    for image in images[::2]:
        image.push(clients.client(address), repository)
    confirmations = ManifestConfirmations(clients.client)
    futures = [
        confirmations.submit(ImageReference(address, repository, digest=image.digest))
        for image in images
    ]
    kinds = [type(future.result(30)) for future in futures]
    confirmations.close()
    assert kinds == [Present, Missing] * 20
