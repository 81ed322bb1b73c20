from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.faults import Fault
from pants_docker_buildkit.session.push_rehearsals import PushedKind, PushedName, PushRehearsals

UPLOADS = "/v2/app/blobs/uploads/"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def rehearsals() -> Iterator[PushRehearsals]:
    clients = RegistryClients(Reach())
    yield PushRehearsals(clients.client)
    clients.close()


def image(registry: str) -> PushedName:
    return PushedName(PushedKind.IMAGE, registry, "app", "app")


def cache(registry: str) -> PushedName:
    return PushedName(PushedKind.CACHE, registry, "app", "app")


def test_a_repository_is_asked_once_however_many_builds_push_there(
    registry: FakeRegistry, rehearsals: PushRehearsals
) -> None:
    found: list[str | None] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(rehearsals.find_problem(image(registry.address)))
        )
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 20
    assert registry.count("POST", UPLOADS) == 1


def test_who_is_not_logged_in_reads_it_with_the_next_step(
    registry: FakeRegistry, rehearsals: PushRehearsals
) -> None:
    registry.access = BasicAccess("me", "s3cret")
    problem = rehearsals.find_problem(image(registry.address))
    assert problem == (
        "Nothing was built, because the image could not be pushed. Could not begin an upload to"
        f" {registry.address}/app (HTTP 401 UNAUTHORIZED: unauthorized). No credentials for"
        f" {registry.address} were found: log in with 'docker login {registry.address}'."
    )


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        pytest.param(faults.oci_error(403, "DENIED", "read only"), True, id="denied"),
        pytest.param(faults.oci_error(404, "NAME_UNKNOWN", "create it"), True, id="no-repository"),
        pytest.param(faults.oci_error(403, "DENIED", "over quota"), True, id="quota"),
        pytest.param(faults.hang_up, True, id="no-answer"),
        pytest.param(faults.oci_error(503, "UNAVAILABLE", "later"), False, id="busy"),
        pytest.param(faults.oci_error(400, "UNSUPPORTED", "what?"), False, id="odd"),
        pytest.param(faults.status(202), False, id="nowhere-to-go"),
    ],
)
def test_only_what_a_push_would_end_in_keeps_from_building(
    registry: FakeRegistry, rehearsals: PushRehearsals, fault: Fault, counts: bool
) -> None:
    registry.plan(fault, times=None)
    assert (rehearsals.find_problem(image(registry.address)) is not None) is counts


def test_a_cache_is_the_builders_which_may_reach_more_than_we(
    registry: FakeRegistry, rehearsals: PushRehearsals
) -> None:
    assert rehearsals.find_problem(cache("127.0.0.1:1")) is None
    registry.plan(faults.oci_error(403, "DENIED", "read only"))
    problem = rehearsals.find_problem(cache(registry.address))
    assert (problem or "").startswith("Nothing was built, because the cache could not be pushed.")


def test_a_registry_that_is_not_there_is_told(rehearsals: PushRehearsals) -> None:
    assert "Could not begin an upload to 127.0.0.1:1/app (" in (
        rehearsals.find_problem(image("127.0.0.1:1")) or ""
    )
