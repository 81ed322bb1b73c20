"""Redirects, and what they must not take with them."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import UnauthorizedError, UnexpectedResponseError
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage, upload_bytes

IMAGE = SmallImage.create()
ME = Credentials("me", "secret")


@pytest.fixture
def known_client(registry: FakeRegistry, make_client: ClientFactory) -> RegistryClient:
    """A client that the registry lets in, and has let in before."""
    registry.access = BasicAccess("me", "secret")
    client = make_client(registry.address, ME)
    IMAGE.push(client, "app")
    return client


def test_a_redirect_to_another_server_is_followed_without_our_credentials(
    registry: FakeRegistry, other_registry: FakeRegistry, known_client: RegistryClient
) -> None:
    registry.plan(faults.redirect(f"{other_registry.url}/store?signature=abc"))
    other_registry.plan(faults.content(IMAGE.layer))
    assert b"".join(known_client.get_blob("app", IMAGE.layer_blob)) == IMAGE.layer
    assert registry.requests[-1].authorization is not None
    assert other_registry.requests[-1].authorization is None


def test_another_server_gets_no_credentials_by_asking_for_them(
    registry: FakeRegistry, other_registry: FakeRegistry, known_client: RegistryClient
) -> None:
    registry.plan(faults.redirect(f"{other_registry.url}/store"))
    other_registry.access = BasicAccess("me", "secret")
    with pytest.raises(UnauthorizedError):
        list(known_client.get_blob("app", IMAGE.layer_blob))
    assert [each.authorization for each in other_registry.requests] == [None]


def test_an_upload_on_another_server_is_sent_without_our_credentials(
    registry: FakeRegistry, other_registry: FakeRegistry, known_client: RegistryClient
) -> None:
    other_registry.uploads["1"] = b""
    location = f"{other_registry.url}/v2/app/blobs/uploads/1?signature=abc"
    registry.plan(faults.status(202, headers={"Location": location}))
    upload_bytes(known_client, "app", b"other content")
    assert [each.authorization for each in other_registry.requests] == [None]


def test_a_redirect_on_the_same_server_keeps_our_credentials(
    registry: FakeRegistry, known_client: RegistryClient
) -> None:
    registry.plan(faults.redirect(f"/v2/app/manifests/{IMAGE.digest}"), target="moved")
    assert known_client.head_manifest("app", "moved") is not None


def test_redirects_without_end_are_an_error(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.redirect("/v2/app/manifests/1"), times=None)
    with pytest.raises(UnexpectedResponseError, match="it redirects without end"):
        client.head_manifest("app", "1")


def test_a_redirect_to_no_server_is_an_error(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.redirect("file:///etc/passwd"))
    with pytest.raises(UnexpectedResponseError, match="a URL that is neither http nor https"):
        client.head_manifest("app", "1")


def test_a_redirected_write_is_not_followed(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.redirect("/elsewhere"), method="PUT")
    with pytest.raises(UnexpectedResponseError, match="HTTP 307"):
        client.put_manifest("app", "1", IMAGE.manifest, "application/json")
