from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    DeniedError,
    ForbiddenByRuleError,
    RegistryUnavailableError,
    RejectedError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

CONTENT = bytes(range(256)) * 40
BLOB = Descriptor(MediaType.OCI_LAYER, sha256_digest(CONTENT), len(CONTENT))


def chunks() -> list[bytes]:
    return [CONTENT[:1000], CONTENT[1000:1001], CONTENT[1001:]]


def stored(registry: FakeRegistry, repository: str = "org/app") -> bytes | None:
    return registry.repository(repository).blobs.get(BLOB.digest)


def test_a_blob_is_sent_in_one_request(registry: FakeRegistry, client: RegistryClient) -> None:
    assert client.upload_blob("org/app", BLOB, chunks)
    assert stored(registry) == CONTENT
    assert [each.method for each in registry.requests] == ["POST", "PUT"]


def test_a_blob_of_another_repository_is_mounted_and_not_sent(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    client.upload_blob("org/base", BLOB, chunks)
    assert not client.upload_blob("org/app", BLOB, chunks, source_repository="org/base")
    assert stored(registry) == CONTENT
    assert registry.count("PUT", "org/app") == 0


def test_a_blob_is_sent_where_the_registry_does_not_mount(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.supports_mount = False
    client.upload_blob("org/base", BLOB, chunks)
    assert client.upload_blob("org/app", BLOB, chunks, source_repository="org/base")
    assert stored(registry) == CONTENT


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "UNAUTHORIZED"), (403, "DENIED"), (404, "NAME_UNKNOWN"), (400, "NAME_INVALID")],
)
def test_a_blob_is_sent_where_we_may_not_read_what_it_would_be_mounted_from(
    registry: FakeRegistry, client: RegistryClient, status: int, code: str
) -> None:
    registry.plan(faults.oci_error(status, code), "from=", method="POST", times=None)
    assert client.upload_blob("org/app", BLOB, chunks, source_repository="org/base")
    assert stored(registry) == CONTENT


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.hang_up, id="connection closed"),
        pytest.param(faults.status(503), id="unavailable"),
        pytest.param(faults.oci_error(404, "BLOB_UPLOAD_UNKNOWN"), id="forgotten"),
        pytest.param(faults.silent, id="no answer in time"),
    ],
)
def test_an_upload_that_breaks_is_begun_again(
    registry: FakeRegistry, impatient: RegistryClient, fault: faults.Fault
) -> None:
    registry.plan(fault, method="PUT", times=2)
    assert impatient.upload_blob("org/app", BLOB, chunks)
    assert stored(registry) == CONTENT
    assert registry.count("POST") == 3


def test_an_upload_that_always_breaks_is_an_error(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.hang_up, method="PUT", times=None)
    with pytest.raises(
        RegistryUnavailableError, match=r"Could not upload the blob .*org/app@sha256"
    ):
        client.upload_blob("org/app", BLOB, chunks)


def test_an_upload_that_is_refused_is_not_tried_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.oci_error(413, "SIZE_INVALID", "quota exceeded"), method="PUT", times=None)
    with pytest.raises(ForbiddenByRuleError, match="HTTP 413 SIZE_INVALID: quota exceeded"):
        client.upload_blob("org/app", BLOB, chunks)
    assert registry.count("PUT") == 1


def test_content_that_is_not_the_blob_is_refused_by_the_registry(client: RegistryClient) -> None:
    with pytest.raises(RejectedError, match="DIGEST_INVALID"):
        client.upload_blob("org/app", BLOB, lambda: [bytes(len(CONTENT))])


@pytest.mark.parametrize("location", [None, "ftp://elsewhere/", "http://[broken/"])
def test_an_upload_with_nowhere_to_go_is_an_error(
    registry: FakeRegistry, client: RegistryClient, location: str | None
) -> None:
    registry.plan(faults.status(202, headers={"Location": location} if location else {}))
    with pytest.raises(UnexpectedResponseError):
        client.upload_blob("org/app", BLOB, chunks)


def test_an_upload_is_rehearsed_and_leaves_nothing(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    client.rehearse_upload("org/app")
    assert registry.uploads == {}
    assert registry.count("DELETE", "/v2/org/app/blobs/uploads/") == 1
    assert registry.repositories == {}


def test_a_registry_that_cancels_no_uploads_is_as_good(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.oci_error(405, "UNSUPPORTED", "no"), method="DELETE")
    client.rehearse_upload("org/app")


def test_a_rehearsal_says_who_may_not_push(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.oci_error(403, "DENIED", "read only"), method="POST")
    with pytest.raises(DeniedError, match=r"Could not begin an upload to 127.*/org/app \(HTTP 403"):
        client.rehearse_upload("org/app")
