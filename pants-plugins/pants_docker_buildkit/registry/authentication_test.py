from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from pants_docker_buildkit.registry import authentication
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.conftest import BRISK, ClientFactory
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import (
    DeniedError,
    RegistryUnavailableError,
    UnauthorizedError,
)
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess, TokenAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage

IMAGE = SmallImage.create()
ME = Credentials("me", "correct horse")
WRONG = Credentials("me", "wrong pony")
BASIC = BasicAccess("me", "correct horse")


def test_basic_authentication_is_met_once_it_is_asked_for(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = BASIC
    client = make_client(registry.address, ME)
    assert not client.has_blob("app", IMAGE.digest)
    assert not client.has_blob("app", IMAGE.digest)
    sent = [each.authorization for each in registry.requests]
    assert sent == [None, BASIC.header, BASIC.header]


def test_a_registry_that_does_not_ask_gets_no_credentials(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    make_client(registry.address, ME).has_blob("app", IMAGE.digest)
    assert [each.authorization for each in registry.requests] == [None]


def test_without_credentials_the_error_says_how_to_log_in(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = BASIC
    with pytest.raises(UnauthorizedError) as info:
        make_client(registry.address).get_manifest("app", "1")
    assert str(info.value) == (
        f"Could not read {registry.address}/app:1 "
        "(HTTP 401 UNAUTHORIZED: unauthorized). "
        f"No credentials for {registry.address} were found: "
        f"log in with 'docker login {registry.address}'."
    )


def test_refused_credentials_are_named_without_the_password(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = BASIC
    with pytest.raises(UnauthorizedError, match="refused the credentials of user 'me'") as info:
        make_client(registry.address, WRONG).get_manifest("app", "1")
    assert "pony" not in str(info.value)


def test_denied_says_who_needs_access(registry: FakeRegistry, make_client: ClientFactory) -> None:
    registry.access = BASIC
    client = make_client(registry.address, ME)
    client.head_manifest("app", "1")
    registry.plan(faults.oci_error(403, "DENIED", "no push for you"))
    with pytest.raises(DeniedError, match=r"HTTP 403 DENIED: no push for you\). Grant user 'me'"):
        client.put_manifest("app", "1", IMAGE.manifest, "application/json")


def test_a_token_that_is_not_for_what_was_asked_is_no_reason_to_log_in_again(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "correct horse", gives_no_scope=True)
    with pytest.raises(DeniedError, match=r"HTTP 401 .*\. Grant user 'me' access"):
        make_client(registry.address, ME).rehearse_upload("app")
    registry.access = TokenAccess(gives_no_scope=True)
    with pytest.raises(UnauthorizedError, match=r"No credentials for .* were found"):
        make_client(registry.address).rehearse_upload("app")


def test_a_token_is_fetched_for_a_password_and_kept_for_its_scope(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse")
    client = make_client(registry.address, ME)
    for _ in range(3):
        client.head_manifest("app", "1")
    client.head_manifest("other", "1")
    scopes = [form["scope"] for _, form in access.requests]
    assert scopes == [["repository:app:pull"], ["repository:other:pull"]]
    assert access.requests[0][1]["service"] == ["fake"]
    assert access.requests[0][1]["account"] == ["me"]


def test_after_the_first_challenge_no_request_is_refused(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "correct horse")
    client = make_client(registry.address, ME)
    for repository in ("a", "b", "c"):
        client.head_manifest(repository, "1")
    assert registry.count("HEAD") == 4


def test_writing_asks_for_a_scope_of_its_own(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse")
    IMAGE.push(make_client(registry.address, ME), "app")
    assert {form["scope"][0] for _, form in access.requests} == {"repository:app:pull,push"}


def test_mounting_asks_for_both_repositories(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse")
    client = make_client(registry.address, ME)
    layer = [IMAGE.layer]
    client.upload_blob("app", IMAGE.layer_blob, lambda: layer, source_repository="base")
    assert access.requests[0][1]["scope"] == ["repository:app:pull,push", "repository:base:pull"]


def test_a_token_that_expired_is_renewed(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse")
    client = make_client(registry.address, ME)
    client.head_manifest("app", "1")
    access.revoke_all()
    assert client.head_manifest("app", "1") is None
    assert len(access.requests) == 2


def test_a_token_that_expires_while_its_request_has_to_wait_is_renewed(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse", lifetime=1)
    wait = {"Retry-After": "1"}

    def limit(handler: BaseHTTPRequestHandler) -> None:
        access.revoke_all()
        faults.status(429, headers=wait)(handler)

    challenge = access.challenge(None, registry.url) or ""
    for _ in range(2):
        registry.plan(faults.status(401, headers={"WWW-Authenticate": challenge}), method="HEAD")
        registry.plan(limit, method="HEAD")
    client = make_client(registry.address, ME, patience=dataclasses.replace(BRISK, longest_wait=2))
    assert client.head_manifest("app", "1") is None
    assert len(access.requests) == 3


def test_a_token_that_is_refused_again_is_an_error(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse", uses=0)
    with pytest.raises(UnauthorizedError, match="refused the credentials of user 'me'"):
        make_client(registry.address, ME).head_manifest("app", "1")
    assert len(access.requests) == 1


def test_an_anonymous_token_is_fetched_without_credentials(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess()
    assert make_client(registry.address).head_manifest("app", "1") is None


def test_an_identity_token_is_exchanged_by_post(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess(identity_token="long lived")
    client = make_client(registry.address, Credentials(identity_token="long lived"))
    assert client.head_manifest("app", "1") is None
    method, form = access.requests[0]
    assert (method, form["grant_type"]) == ("POST", ["refresh_token"])
    assert form["scope"] == ["repository:app:pull"]


def test_a_token_server_without_get_is_asked_by_post(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "correct horse", supports_get=False)
    assert make_client(registry.address, ME).head_manifest("app", "1") is None


def test_a_registry_token_is_sent_as_it_is(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess(_tokens={"from elsewhere": 0})
    client = make_client(registry.address, Credentials(registry_token="from elsewhere"))
    assert client.head_manifest("app", "1") is None


def test_a_token_server_that_refuses_is_named(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "another password")
    with pytest.raises(
        UnauthorizedError, match="HTTP 401: its token server gives no token"
    ) as info:
        make_client(registry.address, ME).head_manifest("app", "1")
    assert "correct horse" not in str(info.value)


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        pytest.param(faults.status(500), "HTTP 500", id="broken"),
        pytest.param(faults.content(b"<html>"), "its answer is not one", id="no JSON"),
        pytest.param(faults.content(b"{}"), "its answer is not one", id="no token"),
        pytest.param(
            faults.content(b'{"token": "a\\r\\nX-Evil: 1"}'),
            "its answer is not one",
            id="injection",
        ),
        pytest.param(faults.endless(), "has more than 1048576 bytes", id="endless"),
        pytest.param(faults.redirect("/token"), "it redirects without end", id="redirect"),
    ],
)
def test_a_token_server_that_gives_no_token_is_named(
    registry: FakeRegistry, make_client: ClientFactory, fault: faults.Fault, finding: str
) -> None:
    registry.access = TokenAccess("me", "correct horse")
    registry.plan(fault, target="/token", times=None)
    with pytest.raises(RegistryUnavailableError, match=f"no token from {registry.url}.*{finding}"):
        make_client(registry.address, ME).head_manifest("app", "1")


def test_a_token_server_that_moved_is_followed(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "correct horse", realm=f"{registry.url}/old")
    registry.plan(faults.redirect("/token"), target="/old", times=None)
    assert make_client(registry.address, ME).head_manifest("app", "1") is None


def test_a_token_server_that_sends_elsewhere_gets_no_credentials_there(
    registry: FakeRegistry, other_registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = other_registry.access = TokenAccess("me", "correct horse")
    registry.plan(faults.redirect(f"{other_registry.url}/token"), target="/token", times=None)
    finding = f"no token from {registry.url}: it redirects to {other_registry.url}, which gets no"
    with pytest.raises(RegistryUnavailableError, match=finding):
        make_client(registry.address, ME).head_manifest("app", "1")
    assert [each.authorization for each in other_registry.requests] == [None]


def test_a_token_server_may_give_tokens_to_all_elsewhere(
    registry: FakeRegistry, other_registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = other_registry.access = TokenAccess()
    registry.plan(faults.redirect(f"{other_registry.url}/token"), target="/token", times=None)
    assert make_client(registry.address).head_manifest("app", "1") is None


@pytest.mark.parametrize(
    ("access", "shown"),
    [(BASIC, ["app", "/v2/"]), (TokenAccess("me", "correct horse"), ["/token"])],
)
def test_a_refused_password_is_shown_once(
    registry: FakeRegistry,
    make_client: ClientFactory,
    access: BasicAccess | TokenAccess,
    shown: list[str],
) -> None:
    registry.access = access
    client = make_client(registry.address, WRONG)

    def ask(number: int) -> str:
        with pytest.raises(UnauthorizedError, match="the credentials of user 'me'") as e:
            client.head_manifest(f"app{number}", "1")
        return str(e.value)

    with ThreadPoolExecutor(8) as threads:
        errors = list(threads.map(ask, range(40)))
    assert all(f"/app{number}:1 (" in error for number, error in enumerate(errors))
    seen = [each.target for each in registry.requests if each.authorization]
    assert len(seen) == len(shown)
    assert all(part in target for part, target in zip(shown, seen))


@pytest.mark.parametrize("access", [BASIC, TokenAccess("me", "correct horse")])
def test_credentials_that_were_corrected_meanwhile_are_shown(
    registry: FakeRegistry,
    access: BasicAccess | TokenAccess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authentication, "_SECONDS_BETWEEN_LOOKS", 0.0)
    registry.access = access
    current = WRONG
    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=lambda _: current))
    client = clients.client(registry.address)
    with pytest.raises(UnauthorizedError):
        client.head_manifest("app", "1")
    current = ME
    assert client.head_manifest("app", "1") is None
    clients.close()


def test_refused_credentials_are_not_looked_for_again_by_each_request(
    registry: FakeRegistry,
) -> None:
    registry.access = TokenAccess("me", "correct horse")
    found: list[str] = []

    def find(name: str) -> Credentials:
        found.append(name)
        return WRONG

    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=find))
    for repository in ("a", "b", "c", "d"):
        with pytest.raises(UnauthorizedError):
            clients.client(registry.address).head_manifest(repository, "1")
    clients.close()
    assert len(found) == 2


def test_a_password_that_one_repository_refuses_is_good_for_another(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = BASIC
    registry.plan(faults.status(401, headers={"WWW-Authenticate": "Basic"}), "/v2/a/", times=None)
    client = make_client(registry.address, ME)
    with pytest.raises(UnauthorizedError):
        client.head_manifest("a", "1")
    assert client.head_manifest("b", "1") is None


def test_a_password_that_was_rotated_meanwhile_is_read_again(registry: FakeRegistry) -> None:
    registry.access = BasicAccess("me", "old")
    current = Credentials("me", "old")
    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=lambda _: current))
    client = clients.client(registry.address)
    client.head_manifest("app", "1")
    registry.access = BasicAccess("me", "new")
    current = dataclasses.replace(current, password="new")
    assert client.head_manifest("app", "1") is None
    clients.close()


def test_credentials_are_read_once_for_many_requests(registry: FakeRegistry) -> None:
    registry.access = TokenAccess("me", "correct horse")
    asked: list[str] = []

    def find(name: str) -> Credentials:
        asked.append(name)
        return ME

    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=find))
    for repository in ("a", "b", "c"):
        clients.client(registry.address).head_manifest(repository, "1")
    clients.close()
    assert asked == [registry.address]


@pytest.mark.parametrize("access", [BasicAccess("me", ""), TokenAccess("me")])
def test_threads_that_need_credentials_find_them_once(
    registry: FakeRegistry, access: BasicAccess | TokenAccess
) -> None:
    registry.access = access
    found: list[str] = []

    def find(name: str) -> Credentials:
        time.sleep(0.05)
        found.append(password)
        return Credentials("me", password)

    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=find))
    client = clients.client(registry.address)
    for password in ("old", "rotated"):
        access.password = password
        if isinstance(access, TokenAccess):
            access.revoke_all()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(client.head_manifest, "abcdefgh", ["1"] * 8))
    clients.close()
    assert found == ["old", "rotated"]


def test_threads_that_need_the_same_token_fetch_it_once(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = access = TokenAccess("me", "correct horse")
    client = make_client(registry.address, ME)
    threads = [
        threading.Thread(target=client.head_manifest, args=("app", str(number)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(access.requests) == 1


def test_whom_an_error_names_may_have_logged_out_meanwhile(registry: FakeRegistry) -> None:
    current: Credentials | None = None

    class Leaving(Credentials):
        def __bool__(self) -> bool:
            # As if another thread came between: its password is refused, and there is none now.
            if current is self and registry.count("PUT"):
                log_out()
            return True

    def log_out() -> None:
        nonlocal current
        current = None
        registry.access = BasicAccess("me", "new")
        with pytest.raises(UnauthorizedError, match="No credentials"):
            client.head_manifest("app", "2")

    registry.access = BASIC
    current = Leaving("me", "correct horse")
    clients = RegistryClients(Reach(patience=BRISK), accounts=Accounts(fallback=lambda _: current))
    client = clients.client(registry.address)
    client.head_manifest("app", "1")
    registry.plan(faults.oci_error(403, "DENIED", "no push for you"))
    with pytest.raises(DeniedError, match="user 'me'"):
        client.put_manifest("app", "1", IMAGE.manifest, "application/json")
    clients.close()
