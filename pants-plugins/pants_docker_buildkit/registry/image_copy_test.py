from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import (
    ForbiddenByRuleError,
    ManifestUnknownError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.image_content import RepositoryContent
from pants_docker_buildkit.registry.image_copy import copy_image
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import TokenAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.testing.processes import SOON

AMD64, ARM64 = SmallImage.create("amd64"), SmallImage.create("arm64")
INDEX = several_platforms(AMD64, ARM64)
INDEX_DIGEST = sha256_digest(INDEX)


@pytest.fixture
def content(client: RegistryClient) -> RepositoryContent:
    """An image for two platforms, in the first registry's repository `org/app`."""
    for image in (AMD64, ARM64):
        image.push(client, "org/app")
    client.put_manifest("org/app", INDEX_DIGEST, INDEX, MediaType.OCI_IMAGE_INDEX.value)
    return RepositoryContent(client, "org/app", INDEX_DIGEST)


@pytest.fixture
def other(other_registry: FakeRegistry, make_client: ClientFactory) -> RegistryClient:
    """A client of the second registry."""
    return make_client(other_registry.address)


def sent(registry: FakeRegistry) -> int:
    """How many blobs were sent."""
    return registry.count("PUT", "/blobs/")


def holds(registry: FakeRegistry, repository: str, digest: OciDigest) -> bool:
    return digest in registry.repository(repository).manifests


def test_an_image_is_copied_to_another_registry_with_all_its_parts(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    copy_image(content, other, "org/copy")
    assert sent(other_registry) == 4
    assert other_registry.count("PUT", "/manifests/") == 3
    assert holds(other_registry, "org/copy", INDEX_DIGEST)
    assert other_registry.repository("org/copy").tags == {}


def test_manifests_come_after_what_they_refer_to(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    copy_image(content, other, "org/copy")
    written = [each.target for each in other_registry.requests if each.method == "PUT"]
    assert written[-1].endswith(INDEX_DIGEST)
    assert [each.rpartition("/")[2] for each in written if "/manifests/" in each] == [
        AMD64.digest,
        ARM64.digest,
        INDEX_DIGEST,
    ]


def test_an_image_that_is_there_costs_one_request(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    copy_image(content, other, "org/copy")
    before = len(other_registry.requests)
    copy_image(content, other, "org/copy")
    assert len(other_registry.requests) == before + 1


def test_only_what_is_missing_is_sent(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    AMD64.push(other, "org/copy")
    before = sent(other_registry)
    copy_image(content, other, "org/copy")
    assert sent(other_registry) - before == 2


def test_another_repository_of_the_same_registry_gets_blobs_by_mounting(
    content: RepositoryContent, client: RegistryClient, registry: FakeRegistry
) -> None:
    before = sent(registry)
    copy_image(content, client, "org/copy")
    assert sent(registry) == before
    assert holds(registry, "org/copy", INDEX_DIGEST)


def test_blobs_are_sent_where_the_registry_does_not_mount(
    content: RepositoryContent, client: RegistryClient, registry: FakeRegistry
) -> None:
    registry.supports_mount = False
    before = sent(registry)
    copy_image(content, client, "org/copy")
    assert sent(registry) - before == 4
    assert holds(registry, "org/copy", INDEX_DIGEST)


def test_a_layout_is_uploaded_without_an_engine(
    tmp_path: Path, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    write_layout(tmp_path, INDEX, AMD64, ARM64)
    content = ImageLayout.open(tmp_path)
    copy_image(content, other, "org/copy")
    assert sent(other_registry) == 4
    assert holds(other_registry, "org/copy", INDEX_DIGEST)


def test_a_copy_that_broke_off_leaves_no_image_and_goes_on(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    quota = faults.oci_error(403, "DENIED", "quota exceeded")
    pattern = f"digest={ARM64.layer_blob.digest.replace(':', '%3A')}"
    other_registry.plan(quota, pattern, method="PUT")
    with pytest.raises(ForbiddenByRuleError, match="HTTP 403 DENIED: quota exceeded"):
        copy_image(content, other, "org/copy")
    assert holds(other_registry, "org/copy", AMD64.digest)
    assert not holds(other_registry, "org/copy", ARM64.digest)
    assert not holds(other_registry, "org/copy", INDEX_DIGEST)
    before = sent(other_registry)
    copy_image(content, other, "org/copy")
    assert sent(other_registry) - before == 1


def test_a_layout_with_a_damaged_blob_leaves_no_image(
    tmp_path: Path, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    write_layout(tmp_path, INDEX, AMD64, ARM64)
    layout = ImageLayout.open(tmp_path)
    layout.blob_path(AMD64.layer_blob.digest).write_bytes(bytes(len(AMD64.layer)))
    with pytest.raises(InvalidLayoutError, match="is other content"):
        copy_image(layout, other, "org/copy")
    assert other_registry.repository("org/copy").manifests == {}


def test_an_image_that_its_source_does_not_have_is_an_error(
    client: RegistryClient, other: RegistryClient
) -> None:
    with pytest.raises(ManifestUnknownError, match=r"Could not read .*/org/app@sha256"):
        copy_image(RepositoryContent(client, "org/app", AMD64.digest), other, "org/copy")


def test_what_is_no_image_is_not_copied(
    client: RegistryClient, registry: FakeRegistry, other: RegistryClient
) -> None:
    document = json.dumps({"schemaVersion": 1}).encode()
    digest = sha256_digest(document)
    registry.repository("org/app").manifests[digest] = (
        MediaType.OCI_IMAGE_MANIFEST.value,
        document,
    )
    with pytest.raises(UnexpectedResponseError, match="schema version 2"):
        copy_image(RepositoryContent(client, "org/app", digest), other, "org/copy")


def test_blobs_are_streamed_in_chunks_from_one_registry_to_the_other(
    client: RegistryClient, other: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = SmallImage.create("x" * 3_000_000)
    image.push(client, "org/app")
    largest = 0

    class Watched(RepositoryContent):
        def stream(self, descriptor):  # type: ignore[no-untyped-def]
            nonlocal largest
            for chunk in super().stream(descriptor):
                largest = max(largest, len(chunk))
                yield chunk

    copy_image(Watched(client, "org/app", image.digest), other, "org/copy")
    assert 0 < largest <= 1024 * 1024


def test_a_repository_that_is_not_there_yet_is_asked_for_as_somebody_who_may_write(
    content: RepositoryContent, other_registry: FakeRegistry, make_client: ClientFactory
) -> None:
    access = TokenAccess("me", "secret")
    other_registry.access = access
    other = make_client(other_registry.address, Credentials("me", "secret"))
    copy_image(content, other, "org/copy")
    scopes = {scope for _, form in access.requests for scope in form["scope"]}
    assert scopes == {"repository:org/copy:pull,push"}


def test_blobs_are_sent_at_the_same_time(
    content: RepositoryContent, other: RegistryClient, other_registry: FakeRegistry
) -> None:
    barrier = threading.Barrier(2)

    def meet(handler: BaseHTTPRequestHandler) -> None:
        barrier.wait(SOON)
        faults.status(503)(handler)

    other_registry.plan(meet, "/blobs/uploads/", method="PUT", times=2)
    copy_image(content, other, "org/copy")
    assert not barrier.broken
