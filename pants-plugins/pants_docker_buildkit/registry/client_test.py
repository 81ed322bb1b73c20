from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.client import Purpose, RegistryClient
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    ContentMismatchError,
    DeniedError,
    ForbiddenByRuleError,
    ManifestUnknownError,
    NameUnknownError,
    RegistryUnavailableError,
    RejectedError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage

IMAGE = SmallImage.create()
MANIFEST_TYPE = MediaType.OCI_IMAGE_MANIFEST.value
OTHER_DIGEST = sha256_digest(b"other")


def test_head_manifest_describes_what_was_pushed(client: RegistryClient) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    assert pushed == Descriptor(MANIFEST_TYPE, IMAGE.digest, len(IMAGE.manifest))
    assert client.head_manifest("org/app", "1.0") == pushed
    assert client.head_manifest("org/app", IMAGE.digest) == pushed


@pytest.mark.parametrize("reference", ["2.0", OTHER_DIGEST])
def test_head_manifest_gives_none_for_what_is_not_there(
    client: RegistryClient, reference: str
) -> None:
    assert client.head_manifest("org/app", reference) is None
    IMAGE.push(client, "org/app", "1.0")
    assert client.head_manifest("org/app", reference) is None


def test_head_manifest_reads_the_manifest_where_the_registry_tells_no_digest(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.tells_digest = False
    pushed = IMAGE.push(client, "org/app", "1.0")
    assert client.head_manifest("org/app", "1.0") == pushed


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_head_manifest_asks_with_get_where_the_registry_does_not_answer_to_head(
    registry: FakeRegistry, client: RegistryClient, status: int
) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    registry.plan(faults.status(status), method="HEAD", times=None)
    assert client.head_manifest("org/app", IMAGE.digest) == pushed
    assert client.head_manifest("org/app", OTHER_DIGEST) is None
    assert client.head_manifest("org/nothing", "1.0") is None


@pytest.mark.parametrize(
    ("kind", "page"),
    [("text/plain", b"404 page not found"), ("text/html", b"<html></html>"), ("", b"")],
)
@pytest.mark.parametrize("purpose", Purpose)
def test_nothing_is_gone_because_a_server_before_the_registry_does_not_find_it(
    registry: FakeRegistry, client: RegistryClient, purpose: Purpose, kind: str, page: bytes
) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    registry.plan(faults.status(404, page, {"Content-Type": kind} if kind else {}), times=None)
    with pytest.raises(UnexpectedResponseError, match="is the address of a container registry"):
        client.head_manifest("org/app", IMAGE.digest, purpose)
    with pytest.raises(UnexpectedResponseError, match="HTTP 404"):
        client.has_blob("org/app", pushed.digest)


def test_nothing_is_gone_where_each_path_leads_to_a_page(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(404), "/manifests/", times=None)
    registry.plan(faults.content(b"<html></html>", Content_Type="text/html"), "/v2/", times=None)
    with pytest.raises(UnexpectedResponseError, match="its /v2/ is a page for people"):
        client.head_manifest("org/app", IMAGE.digest)


def test_a_registry_that_says_nothing_of_what_it_has_not_is_believed(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(404), "/org/", times=None)
    assert [client.head_manifest("org/app", "1.0", each) for each in Purpose] == [None] * 3
    assert not client.has_blob("org/app", IMAGE.digest)
    assert registry.count("GET", "/v2/$") == 4


def test_head_manifest_says_why_it_is_refused(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(403), method="HEAD")
    registry.plan(faults.oci_error(403, "DENIED", "your token has expired"), method="GET")
    with pytest.raises(DeniedError, match="HTTP 403 DENIED: your token has expired"):
        client.head_manifest("org/app", "1.0")


def test_head_manifest_believes_who_writes_that_there_is_none(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    assert client.head_manifest("org/app", "1.0", Purpose.WRITE) is None
    assert registry.count("GET") == 0


def test_head_manifest_refuses_an_answer_for_another_digest(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    IMAGE.push(client, "org/app")
    registry.plan(faults.content(b"", Docker_Content_Digest=OTHER_DIGEST), method="HEAD")
    with pytest.raises(ContentMismatchError, match=f"it answers for {OTHER_DIGEST}"):
        client.head_manifest("org/app", IMAGE.digest)


def test_get_manifest_gives_the_bytes(client: RegistryClient) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    assert client.get_manifest("org/app", "1.0") == (pushed, IMAGE.manifest)


def test_get_manifest_believes_what_a_manifest_says_of_itself(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    other = MediaType.OCI_IMAGE_INDEX.value
    registry.plan(faults.content(IMAGE.manifest, Content_Type=other))
    assert client.get_manifest("org/app", IMAGE.digest) == (pushed, IMAGE.manifest)


def test_get_manifest_refuses_other_content(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.content(b"{}", Content_Type=MANIFEST_TYPE))
    with pytest.raises(ContentMismatchError, match="is other content") as info:
        client.get_manifest("org/app", IMAGE.digest)
    assert str(info.value).startswith(
        f"Could not read {registry.address}/org/app@{IMAGE.digest} (The content {IMAGE.digest}"
    )


def test_get_manifest_refuses_content_that_contradicts_the_registry_itself(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    headers = {"Content_Type": MANIFEST_TYPE, "Docker_Content_Digest": OTHER_DIGEST}
    registry.plan(faults.content(b"{}", **headers))
    with pytest.raises(ContentMismatchError, match="is other content"):
        client.get_manifest("org/app", "1.0")


def test_get_manifest_does_not_read_an_endless_body(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.endless(Content_Type=MANIFEST_TYPE))
    with pytest.raises(ContentMismatchError, match="has more than 4194304 bytes"):
        client.get_manifest("org/app", "1.0")


def test_get_manifest_asks_again_where_the_answer_broke_off(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    pushed = IMAGE.push(client, "org/app", "1.0")
    registry.plan(faults.truncated(b'{"schema', 100, Content_Type=MANIFEST_TYPE))
    assert client.get_manifest("org/app", "1.0") == (pushed, IMAGE.manifest)


def test_get_manifest_refuses_a_truncated_body(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    truncated = faults.truncated(b'{"schema', 100, Content_Type=MANIFEST_TYPE)
    registry.plan(truncated, times=None)
    with pytest.raises(RegistryUnavailableError, match="the answer ended too early"):
        client.get_manifest("org/app", "1.0")


def test_get_manifest_says_that_the_tag_is_unknown(client: RegistryClient) -> None:
    IMAGE.push(client, "org/app", "1.0")
    with pytest.raises(
        ManifestUnknownError, match=r"Could not read .*/org/app:2\.0 \(HTTP 404 MAN"
    ):
        client.get_manifest("org/app", "2.0")


def test_get_manifest_says_that_the_repository_is_unknown(client: RegistryClient) -> None:
    with pytest.raises(NameUnknownError, match="HTTP 404 NAME_UNKNOWN"):
        client.get_manifest("org/app", "1.0")


def test_what_is_not_there_is_known_whatever_the_registry_calls_it(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    # Harbor sends this for everything that it does not find.
    registry.plan(faults.oci_error(404, "NOT_FOUND", "artifact not found"), times=None)
    with pytest.raises(ManifestUnknownError, match="NOT_FOUND: artifact not found"):
        client.get_manifest("org/app", "1.0")
    with pytest.raises(BlobUnknownError):
        client.read_blob("org/app", IMAGE.layer_blob)
    with pytest.raises(NameUnknownError, match="create it"):
        client.rehearse_upload("org/app")


def test_a_server_that_is_no_registry_is_recognised(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(404, b"<html>", {"Content-Type": "text/html"}))
    with pytest.raises(UnexpectedResponseError, match="is the address of a container registry"):
        client.get_manifest("org/app", "1.0")


def test_the_text_of_an_answer_that_is_no_registrys_is_shown(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(400, b"Client sent an HTTP request to an HTTPS server.\n"))
    with pytest.raises(RejectedError, match="HTTP 400: Client sent an HTTP request to an HTTPS"):
        client.get_manifest("org/app", "1.0")


def test_put_manifest_moves_a_tag(registry: FakeRegistry, client: RegistryClient) -> None:
    IMAGE.push(client, "org/app", "latest")
    newer = SmallImage.create("newer")
    newer.push(client, "org/app", "latest")
    assert registry.repository("org/app").tags == {"latest": newer.digest}


def test_put_manifest_says_why_a_tag_may_not_move(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.oci_error(409, "TAG_IMMUTABLE", "tag 'v1' cannot be moved"), method="PUT")
    with pytest.raises(
        ForbiddenByRuleError, match="HTTP 409 TAG_IMMUTABLE: tag 'v1' cannot be moved"
    ):
        client.put_manifest("org/app", "v1", IMAGE.manifest, MANIFEST_TYPE)


def test_put_manifest_notices_that_the_registry_stored_something_else(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(201, headers={"Docker-Content-Digest": OTHER_DIGEST}))
    with pytest.raises(ContentMismatchError, match=f"it stored {OTHER_DIGEST} instead of"):
        client.put_manifest("org/app", "v1", IMAGE.manifest, MANIFEST_TYPE)


def test_get_referrers_asks_no_other_server_for_the_next_page(
    registry: FakeRegistry, client: RegistryClient, other_registry: FakeRegistry
) -> None:
    IMAGE.push(client, "org/app")
    link = f'<{other_registry.url}/v2/org/app/referrers/{IMAGE.digest}?last=a>; rel="next"'
    registry.plan(faults.content(b'{"schemaVersion": 2, "manifests": []}', Link=link))
    assert client.get_referrers("org/app", IMAGE.digest) == ()
    assert registry.count("GET", "last=a") == 1
    assert other_registry.requests == []


def test_get_blob_gives_the_content(client: RegistryClient) -> None:
    IMAGE.push(client, "org/app")
    assert b"".join(client.get_blob("org/app", IMAGE.layer_blob)) == IMAGE.layer


def test_read_blob_asks_again_where_the_answer_broke_off(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    IMAGE.push(client, "org/app", "1.0")
    registry.plan(faults.truncated(b"{", 100))
    assert client.read_blob("org/app", IMAGE.layer_blob) == IMAGE.layer


def test_get_blob_says_that_the_blob_is_unknown(client: RegistryClient) -> None:
    with pytest.raises(BlobUnknownError, match="HTTP 404 BLOB_UNKNOWN"):
        list(client.get_blob("org/app", IMAGE.layer_blob))


@pytest.mark.parametrize(
    ("fault", "error", "finding"),
    [
        pytest.param(
            faults.content(b"LAYER hello"), ContentMismatchError, "is other content", id="other"
        ),
        pytest.param(faults.content(b"lay"), ContentMismatchError, "but has 3", id="short"),
        pytest.param(faults.endless(), ContentMismatchError, "but has more", id="endless"),
        pytest.param(
            faults.truncated(b"layer", 11), RegistryUnavailableError, "ended too early", id="cut"
        ),
    ],
)
def test_get_blob_refuses_what_is_not_the_blob(
    registry: FakeRegistry,
    client: RegistryClient,
    fault: faults.Fault,
    error: type[Exception],
    finding: str,
) -> None:
    registry.plan(fault)
    with pytest.raises(error, match=finding):
        list(client.get_blob("org/app", IMAGE.layer_blob))


def test_has_blob(client: RegistryClient) -> None:
    IMAGE.push(client, "org/app")
    assert client.has_blob("org/app", IMAGE.layer_blob.digest)
    assert not client.has_blob("org/app", OciDigest(OTHER_DIGEST))


def test_requests_reuse_one_connection(registry: FakeRegistry, client: RegistryClient) -> None:
    IMAGE.push(client, "org/app")
    for _ in range(5):
        client.head_manifest("org/app", IMAGE.digest)
    assert registry.connections == 1
