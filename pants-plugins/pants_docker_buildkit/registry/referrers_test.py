from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import Referrer, referrers_tag, render_referrers
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.errors import RegistryUnavailableError, UnexpectedResponseError
from pants_docker_buildkit.registry.referrers import (
    Attachments,
    attach,
    copy_referrers,
    list_referrers,
)
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.faults import Fault, content, status
from pants_docker_buildkit.registry.testing.images import SmallImage, several_platforms


@pytest.fixture(params=[True, False], ids=["api", "tag"])
def registry(request: Any) -> Iterator[FakeRegistry]:
    """A registry with the API for referrers, and one that needs the tag in its place."""
    with FakeRegistry(supports_referrers=request.param).running() as registry:
        yield registry


@pytest.fixture
def client(registry: FakeRegistry, clients: RegistryClients) -> RegistryClient:
    return clients.client(registry.address)


def referrer(subject: Descriptor, text: str = "one") -> Referrer:
    document = json.dumps({"said": text}).encode()
    return Referrer(subject, "application/vnd.in-toto+json", document, (("a", "b"),))


def listed(client: RegistryClient, repository: str, subject: Descriptor) -> list[str]:
    found = list_referrers(client, repository, subject.digest)
    return sorted(each.digest for each in found.entries)


def test_a_referrer_is_attached_once(registry: FakeRegistry, client: RegistryClient) -> None:
    subject = SmallImage.create("subject").push(client, "app")
    assert listed(client, "app", subject) == []
    said = referrer(subject)
    assert attach(client, "app", [said]) == 1
    assert listed(client, "app", subject) == [said.digest]
    before = len(registry.requests)
    assert attach(client, "app", [said]) == 0
    # One question. Without the API there are two for the list, and one for what it names.
    asked = [each.method for each in registry.requests[before:]]
    assert asked == (["GET"] if registry.supports_referrers else ["GET", "GET", "HEAD"])


def test_what_others_attached_stays_as_it_is(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    subject = SmallImage.create("others").push(client, "app")
    one, two = referrer(subject, "one"), referrer(subject, "two")
    attach(client, "app", [one])
    attach(client, "app", [one, two])
    assert listed(client, "app", subject) == sorted([one.digest, two.digest])
    tag = referrers_tag(subject.digest)
    assert (tag in registry.repository("app").tags) is not registry.supports_referrers
    if not registry.supports_referrers:
        index = json.loads(client.get_manifest("app", tag)[1])
        assert [each["artifactType"] for each in index["manifests"]] == [one.artifact_type] * 2
        assert index["manifests"][0]["annotations"] == {"a": "b"}


def test_what_a_clean_up_took_is_attached_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    subject = SmallImage.create("cleaned up").push(client, "app")
    said = [referrer(subject, text) for text in ("one", "two")]
    attach(client, "app", said)
    # Without the API, the list under the tag still names it.
    del registry.repository("app").manifests[said[1].digest]
    assert attach(client, "app", said) == 1
    assert client.get_manifest("app", said[1].digest)[1] == said[1].manifest
    assert listed(client, "app", subject) == sorted(each.digest for each in said)
    # And no such entry keeps anything else from being listed.
    del registry.repository("app").manifests[said[0].digest]
    assert attach(client, "app", [referrer(subject, "three")]) == 1
    assert len(listed(client, "app", subject)) == 2


def test_what_is_attached_together_is_listed_at_once(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    subject = SmallImage.create("together").push(client, "app")
    assert attach(client, "app", [referrer(subject, str(each)) for each in range(3)]) == 3
    lists = registry.count("PUT", f"/manifests/{referrers_tag(subject.digest)}")
    assert lists == (0 if registry.supports_referrers else 1)


def test_referrers_are_copied_with_their_image(
    registry: FakeRegistry, client: RegistryClient, clients: RegistryClients
) -> None:
    image = SmallImage.create("copied")
    subject = image.push(client, "app")
    said = [referrer(subject, text) for text in ("one", "two")]
    for each in said:
        attach(client, "app", [each])
    for supports in (True, False):
        with FakeRegistry(supports_referrers=supports).running() as other:
            target = clients.client(other.address)
            image.push(target, "elsewhere")
            attach(target, "elsewhere", said[:1])
            copy_referrers(client, "app", target, "elsewhere", subject.digest)
            assert listed(target, "elsewhere", subject) == sorted(each.digest for each in said)
            assert target.get_manifest("elsewhere", said[1].digest)[1] == said[1].manifest


def test_another_scan_of_the_same_image_is_as_good(client: RegistryClient) -> None:
    subject = SmallImage.create("scanned").push(client, "app")
    annotations = (("platform", "linux/amd64"), ("scanner", "syft 1"))
    one, two = (
        Referrer(subject, "application/spdx+json", text, annotations, stands_for_others=True)
        for text in (b'{"id": 1}', b'{"id": 2}')
    )
    newer = replace(two, annotations=(("platform", "linux/amd64"), ("scanner", "syft 2")))
    assert [attach(client, "app", [each]) for each in (one, two, newer)] == [1, 0, 1]
    assert listed(client, "app", subject) == sorted([one.digest, newer.digest])


def test_what_a_list_still_names_and_is_gone_is_left_out_of_copies(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    image = SmallImage.create("dangling")
    subject = image.push(client, "app")
    image.push(client, "elsewhere")
    one, two = referrer(subject, "one"), referrer(subject, "two")
    attach(client, "app", [one, two])
    del registry.repository("app").manifests[one.digest]
    copy_referrers(client, "app", client, "elsewhere", subject.digest)
    assert listed(client, "elsewhere", subject) == [two.digest]
    del registry.repository("elsewhere").manifests[two.digest]
    copy_referrers(client, "app", client, "elsewhere", subject.digest)
    assert client.get_manifest("elsewhere", two.digest)[1] == two.manifest


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(status(303, headers={"Location": "/page"}), id="GHCR"),
        pytest.param(status(406), id="not acceptable"),
        pytest.param(content(b"<html>", Content_Type="text/html; charset=utf-8"), id="a page"),
    ],
)
def test_registries_without_a_list_say_so_in_many_ways(
    registry: FakeRegistry, client: RegistryClient, answer: Fault
) -> None:
    subject = SmallImage.create("no list").push(client, "app")
    registry.supports_referrers = False
    registry.plan(answer, method="GET", target="/referrers/", times=None)
    said = referrer(subject)
    assert attach(client, "app", [said]) == 1
    assert listed(client, "app", subject) == [said.digest]
    assert registry.count("GET", "/page") == 0


@pytest.mark.parametrize("is_index", [True, False])
def test_a_registry_that_takes_the_tag_of_a_list_for_the_digest_has_no_list(
    client: RegistryClient, is_index: bool
) -> None:
    image = SmallImage.create("GitLab")
    subject = image.push(client, "app")
    if is_index:
        index = several_platforms(image)
        subject = Descriptor.of(index, MediaType.OCI_IMAGE_INDEX.value)
        client.put_manifest("app", subject.digest, index, subject.media_type)
    manifest = client.get_manifest("app", subject.digest)[1]
    client.put_manifest("app", referrers_tag(subject.digest), manifest, subject.media_type)
    assert listed(client, "app", subject) == []


@pytest.mark.parametrize(
    "link",
    [
        '<LIST?last=a>; rel="next"',
        "<LIST?last=a>;rel=next",
        '<?last=a>; rel="next"',
        '<LIST>; rel="first", <LIST?last=a>; title="a, b"; rel="next"',
    ],
)
def test_all_pages_of_a_list_are_read(
    registry: FakeRegistry, client: RegistryClient, link: str
) -> None:
    subject = SmallImage.create("pages").push(client, "app")
    said = [referrer(subject, text) for text in ("one", "two")]
    link = link.replace("LIST", f"/v2/app/referrers/{subject.digest}")
    first, last = (render_referrers([each.entry()]) for each in said)
    registry.plan(content(first, Link=link), "/referrers/sha256:[0-9a-f]+$")
    registry.plan(content(last), r"/referrers/.*\?last=a$")
    assert listed(client, "app", subject) == sorted(each.digest for each in said)


def test_a_list_without_anything_may_be_null(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    subject = SmallImage.create("subject").push(client, "app")
    registry.supports_referrers = True
    nothing = b'{"schemaVersion": 2, "manifests": null}'
    registry.plan(content(nothing), method="GET", target="/referrers/")
    said = referrer(subject)
    assert attach(client, "app", [said]) == 1
    assert listed(client, "app", subject) == [said.digest]


def test_lists_that_are_none_are_refused(registry: FakeRegistry, client: RegistryClient) -> None:
    subject = SmallImage.create("broken").push(client, "app")
    if registry.supports_referrers:
        registry.plan(content(b"{}"), method="GET", target="/referrers/")
    else:
        SmallImage.create("other").push(client, "app", referrers_tag(subject.digest))
    with pytest.raises(UnexpectedResponseError, match="list what refers to"):
        attach(client, "app", [referrer(subject)])


def test_each_is_attached_once_in_a_session(
    registry: FakeRegistry, client: RegistryClient, clients: RegistryClients
) -> None:
    subject = SmallImage.create("session").push(client, "app")
    attachments = Attachments(clients.client)
    name = ImageReference(registry.address, "app")
    said = referrer(subject)
    futures = [attachments.submit(name, [said]) for _ in range(3)]
    assert [each.result() for each in futures] == [1] * 3
    attachments.close()
    puts = [
        each
        for each in registry.requests
        if each.method == "PUT" and "manifests/sha256:" in each.target
    ]
    assert len([each for each in puts if said.digest in each.target]) == 1


def test_a_registry_that_is_not_there_is_an_error(clients: RegistryClients) -> None:
    subject = Descriptor("a", sha256_digest(b""), 1)
    attachments = Attachments(clients.client)
    future = attachments.submit(ImageReference("127.0.0.1:1", "app"), [referrer(subject)])
    with pytest.raises(RegistryUnavailableError):
        future.result()
    attachments.close()
