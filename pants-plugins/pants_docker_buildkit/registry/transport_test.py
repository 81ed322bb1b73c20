from __future__ import annotations

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pants_docker_buildkit.registry import pace
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.conftest import BRISK, IMPATIENT, ClientFactory
from pants_docker_buildkit.registry.connections import Connections
from pants_docker_buildkit.registry.errors import RegistryUnavailableError
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.pace import Pace
from pants_docker_buildkit.registry.proxies import Proxies
from pants_docker_buildkit.registry.settings import Patience, Reach, RegistrySettings
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.registry.transport import Request, Transport
from pants_docker_buildkit.testing.processes import SOON, wait_until

IMAGE = SmallImage.create()


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_an_idempotent_request_is_sent_again_after_a_passing_failure(
    registry: FakeRegistry, client: RegistryClient, code: int
) -> None:
    IMAGE.push(client, "app")
    registry.plan(faults.status(code), method="HEAD", times=2)
    assert client.head_manifest("app", IMAGE.digest) is not None
    assert registry.count("HEAD") == 3


@pytest.mark.parametrize("fault", [faults.hang_up, faults.silent], ids=["hang up", "silent"])
def test_an_idempotent_request_is_sent_again_when_no_answer_comes(
    registry: FakeRegistry, client: RegistryClient, make_client: ClientFactory, fault: faults.Fault
) -> None:
    IMAGE.push(client, "app")
    registry.plan(fault, method="HEAD")
    # The right answer may not come in time either.
    impatient = make_client(registry.address, patience=replace(IMPATIENT, attempts=100))
    assert impatient.head_manifest("app", IMAGE.digest) is not None


def test_a_registry_that_stays_broken_is_unavailable(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.oci_error(503, "UNAVAILABLE", "storage is down"), times=None)
    with pytest.raises(RegistryUnavailableError) as info:
        client.get_manifest("app", "1")
    assert str(info.value) == (
        f"Could not read {registry.address}/app:1 "
        "(HTTP 503 UNAVAILABLE: storage is down). "
        f"Check that {registry.address} is up and reachable from here, then run again."
    )
    assert registry.count("GET") == BRISK.attempts


def test_a_registry_that_does_not_answer_is_unavailable(
    registry: FakeRegistry, impatient: RegistryClient
) -> None:
    registry.plan(faults.silent, times=None)
    with pytest.raises(RegistryUnavailableError, match=r"\(no answer in time\)"):
        impatient.head_manifest("app", "1")


def test_a_registry_that_is_not_there_is_unavailable(make_client: ClientFactory) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = make_client(f"127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(RegistryUnavailableError, match=r"\(connection refused\)"):
            client.head_manifest("app", "1")


def test_a_registry_whose_name_is_not_known_is_unavailable(make_client: ClientFactory) -> None:
    client = make_client("registry.invalid", patience=Patience(attempts=1, connect_timeout=5))
    with pytest.raises(
        RegistryUnavailableError, match=r"Could not look up registry\.invalid/app:1"
    ):
        client.head_manifest("app", "1")


def test_retry_after_is_honoured(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.status(429, headers={"Retry-After": "0.3"}))
    started = time.monotonic()
    assert client.head_manifest("app", "1") is None
    assert time.monotonic() - started >= 0.3


def test_a_registry_that_limits_requests_gets_them_all_in_the_end(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    """Far more refusals than one request has attempts, for 40 requests at once."""
    IMAGE.push(client, "app")
    registry.plan(faults.status(429, headers={"Retry-After": "0.05"}), method="HEAD", times=60)
    with ThreadPoolExecutor(40) as threads:
        found = threads.map(lambda _: client.head_manifest("app", IMAGE.digest), range(40))
        assert None not in list(found)
    assert registry.count("HEAD") == 60 + 40


def test_a_registry_that_never_takes_a_request_is_unavailable(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.status(429, headers={"Retry-After": "0.01"}), times=None)
    with pytest.raises(RegistryUnavailableError, match="HTTP 429"):
        client.head_manifest("app", "1")
    assert registry.count("HEAD") == BRISK.attempts + BRISK.refusals


def test_a_registry_that_limits_all_requests_for_long_is_given_up(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    patience = replace(BRISK, refusals=50, longest_refusal=0.3)
    client = make_client(registry.address, patience=patience)
    registry.plan(faults.status(429, headers={"Retry-After": "0.01"}), times=None)

    def ask(number: int) -> None:
        with pytest.raises(RegistryUnavailableError, match="HTTP 429"):
            client.head_manifest("app", str(number))

    with ThreadPoolExecutor(40) as threads:
        list(threads.map(ask, range(40)))
    # Without an end, as often as there are refusals for each.
    assert registry.count("HEAD") < 1000


def test_a_registry_that_limits_requests_for_long_is_given_up_though_it_answered_at_first(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    patience = replace(BRISK, refusals=200, longest_refusal=0.5)
    client = make_client(registry.address, patience=patience)
    IMAGE.push(client, "app")
    limit = faults.status(429, headers={"Retry-After": "0.05"})
    registry.plan(limit, "/limited$", times=None)
    before = registry.count("HEAD")
    with ThreadPoolExecutor(1) as thread:
        limited = thread.submit(client.head_manifest, "app", "limited")
        wait_until(lambda: registry.count("HEAD") > before)
        assert client.head_manifest("app", IMAGE.digest) is not None
        with pytest.raises(RegistryUnavailableError, match="HTTP 429"):
            limited.result(SOON)
    # Otherwise as often as it may be refused.
    assert registry.count("HEAD") - before < 200


def test_a_registry_that_limits_one_method_for_long_is_given_up_though_it_answers_others(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    client = make_client(registry.address, patience=replace(BRISK, refusals=50))
    IMAGE.push(client, "app")
    before = registry.count("PUT")
    registry.plan(
        faults.status(429, headers={"Retry-After": "0.01"}), "/manifests/", method="PUT", times=None
    )
    for number in range(20):
        assert client.head_manifest("app", IMAGE.digest) is not None
        with pytest.raises(RegistryUnavailableError, match="HTTP 429"):
            client.put_manifest("app", str(number), IMAGE.manifest, "application/json")
    # With patience for the first one.
    assert registry.count("PUT") - before == BRISK.attempts + 50 + 19


def test_who_waits_for_a_registry_that_does_not_answer_need_not_ask(
    registry: FakeRegistry, make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    askers, looked = 100, set[int]()
    is_free = Pace._is_free

    def look(pace: Pace) -> bool:
        looked.add(threading.get_ident())
        return is_free(pace)

    monkeypatch.setattr(Pace, "_is_free", look)
    client = make_client(registry.address, patience=Patience(attempts=2, first_wait=0.01))
    # Nobody is told before all wait for their turn.
    registry.plan(faults.held(lambda: len(looked) == askers), times=None)
    errors: list[str] = []

    def ask(number: int) -> None:
        with pytest.raises(RegistryUnavailableError) as info:
            client.head_manifest("app", str(number))
        errors.append(str(info.value))

    with ThreadPoolExecutor(askers) as threads:
        list(threads.map(ask, range(askers)))
    assert len(errors) == askers
    assert all("(the connection was closed)" in each for each in errors)
    # Nobody would have asked less than twice, were it not for the others.
    assert registry.count("HEAD") < 150


@pytest.mark.parametrize("code", [429, 503])
def test_there_is_patience_with_a_registry_once_and_not_for_each_image(
    registry: FakeRegistry, client: RegistryClient, code: int
) -> None:
    registry.plan(faults.status(code, headers={"Retry-After": "0.01"}), times=None)
    for number in range(10):
        with pytest.raises(RegistryUnavailableError, match=f"HTTP {code}"):
            client.head_manifest("app", str(number))
    most = BRISK.attempts + (BRISK.refusals if code == 429 else 0)
    assert registry.count("HEAD") == most + 9
    registry.behave()
    assert client.head_manifest("app", "1") is None
    registry.plan(faults.status(code, headers={"Retry-After": "0.01"}), times=2)
    assert client.head_manifest("app", "1") is None


def test_a_registry_that_gave_no_answer_is_left_alone_for_a_while(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.hang_up, times=None)
    for number in range(10):
        with pytest.raises(RegistryUnavailableError, match="the connection was closed"):
            client.head_manifest("app", str(number))
    assert registry.count("HEAD") == BRISK.attempts
    registry.behave()
    time.sleep(BRISK.longest_wait)
    assert client.head_manifest("app", "1") is None


def test_a_refusal_is_no_reason_to_send_more_at_once(
    registry: FakeRegistry, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_SHORTEST_DISTANCE", 0.0)
    registry.plan(faults.status(429, headers={"Retry-After": "0.01"}), times=None)
    with pytest.raises(RegistryUnavailableError):
        client.head_manifest("app", "1")
    assert client.most_at_once == 1


@pytest.mark.parametrize("value", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_registry_that_wants_a_long_wait_is_not_waited_for(
    registry: FakeRegistry, client: RegistryClient, value: str
) -> None:
    registry.plan(faults.status(429, headers={"Retry-After": value}), times=None)
    with pytest.raises(RegistryUnavailableError) as info:
        client.head_manifest("app", "1")
    assert re.search(r"\(HTTP 429, to be asked again in \d{4,} s\)", str(info.value))
    assert f"{registry.address} limits how often it is asked: run again later." in str(info.value)
    assert registry.count("HEAD") == 1


@pytest.mark.parametrize("value", ["soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_says_nothing_is_ignored(
    registry: FakeRegistry, client: RegistryClient, value: str
) -> None:
    registry.plan(faults.status(503, headers={"Retry-After": value}))
    assert client.head_manifest("app", "1") is None


def test_a_connection_that_the_registry_closed_meanwhile_is_replaced(
    make_client: ClientFactory,
) -> None:
    with FakeRegistry().running() as registry:
        client = make_client(registry.address, patience=Patience(attempts=1))
        registry.plan(faults.status(404, headers={"Connection": "close"}))
        assert client.head_manifest("app", "1") is None
        assert client.head_manifest("app", "1") is None
        assert registry.connections == 2


def test_close_ends_the_wait_for_another_attempt(registry: FakeRegistry) -> None:
    registry.plan(faults.status(503, headers={"Retry-After": "20"}), times=None)
    clients = RegistryClients(Reach(patience=Patience(longest_wait=30)))
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            clients.client(registry.address).head_manifest("app", "1")
        except RegistryUnavailableError as e:
            errors.append(e)

    thread = threading.Thread(target=ask)
    thread.start()
    while not registry.requests:
        time.sleep(0.01)
    clients.close()
    thread.join(SOON)
    assert "the session ended" in str(errors[0])


def test_an_answer_that_is_larger_than_what_is_read_at_once_is_whole(
    registry: FakeRegistry,
) -> None:
    body = bytes(range(256)) * 4096
    registry.plan(faults.content(body), method="GET", times=None)
    connections = Connections(RegistrySettings(), Proxies.from_environment({}), BRISK)
    transport = Transport(connections, BRISK)
    origin = Origin.of_registry(registry.address, is_plain_http=True)
    for small in (0, 1, len(body) - 1, len(body)):
        response = transport.send(Request("GET", origin, "/", small=small))
        assert response.read(len(body)) == body
    transport.close()


def test_many_threads_share_a_client(registry: FakeRegistry, client: RegistryClient) -> None:
    IMAGE.push(client, "app")
    found: list[object] = []

    def ask() -> None:
        found.extend(client.head_manifest("app", IMAGE.digest) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160
    assert None not in found
    assert registry.connections <= 9
