from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from http.server import BaseHTTPRequestHandler

import pytest

from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import Purpose
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.confirmation import (
    ManifestConfirmations,
    Missing,
    Present,
    Unknown,
)
from pants_docker_buildkit.registry.errors import RegistryUnavailableError, UnauthorizedError
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.testing.processes import SOON

IMAGE = SmallImage.create()


def workers() -> set[threading.Thread]:
    """The threads that ask, those of other sessions as well."""
    return {each for each in threading.enumerate() if each.name.startswith("registry-confirmation")}


@pytest.fixture
def confirmations(clients: RegistryClients) -> Iterator[ManifestConfirmations]:
    confirmations = ManifestConfirmations(clients.client)
    yield confirmations
    confirmations.close()


def reference(registry: FakeRegistry, repository: str = "app") -> ImageReference:
    return ImageReference(registry.address, repository, digest=IMAGE.digest)


def test_a_manifest_that_is_there_is_present(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    descriptor = IMAGE.push(clients.client(registry.address), "app")
    assert confirmations.submit(reference(registry)).result(SOON) == Present(descriptor)


def test_a_manifest_that_is_gone_is_missing(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    assert confirmations.submit(reference(registry)).result(SOON) == Missing()


def test_a_registry_that_refuses_leaves_it_unknown(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    registry.access = BasicAccess("me", "secret")
    confirmation = confirmations.submit(reference(registry)).result(SOON)
    assert isinstance(confirmation, Unknown)
    assert isinstance(confirmation.error, UnauthorizedError)


def test_a_manifest_is_asked_for_once(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    futures = [confirmations.submit(reference(registry)) for _ in range(20)]
    assert {id(each) for each in futures} == {id(futures[0])}
    futures[0].result(SOON)
    assert registry.count("HEAD") == 1


def test_a_manifest_that_was_pushed_meanwhile_is_asked_for_again(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    assert confirmations.submit(reference(registry)).result(SOON) == Missing()
    IMAGE.push(clients.client(registry.address), "app")
    assert isinstance(confirmations.submit_pushed(reference(registry)).result(SOON), Present)
    assert isinstance(confirmations.submit(reference(registry)).result(SOON), Present)


def test_a_push_that_shows_late_is_asked_for_again(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    IMAGE.push(clients.client(registry.address), "app")
    for method in ("HEAD", "GET"):
        registry.plan(faults.oci_error(404, "MANIFEST_UNKNOWN"), "/manifests/", method=method)
    assert isinstance(confirmations.submit_pushed(reference(registry)).result(SOON), Present)
    assert registry.count("HEAD") == 2


def test_an_image_that_is_not_pushed_is_missing_at_once(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    assert confirmations.submit(reference(registry)).result(SOON) == Missing()
    assert registry.count("HEAD") == 1


def tagged(registry: FakeRegistry) -> ImageReference:
    return ImageReference(registry.address, "app", tag="latest")


def test_one_answer_tells_of_an_image_and_of_its_tag(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    client = clients.client(registry.address)
    descriptor = IMAGE.push(client, "app", tag="latest")
    confirmations.submit_tagged(reference(registry), tagged(registry))
    assert confirmations.submit(reference(registry)).result(SOON) == Present(descriptor)
    named = confirmations.submit(tagged(registry), Purpose.MOVE).result(SOON)
    assert named == Present(descriptor)
    assert registry.count("HEAD") == 1


def test_an_image_whose_tag_moved_is_asked_for_itself(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    client = clients.client(registry.address)
    descriptor = IMAGE.push(client, "app")
    SmallImage.create("another").push(client, "app", tag="latest")
    confirmations.submit_tagged(reference(registry), tagged(registry))
    assert confirmations.submit(reference(registry)).result(SOON) == Present(descriptor)
    assert registry.count("HEAD") == 2


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_image_whose_tag_cannot_be_read_is_asked_for_itself(
    registry: FakeRegistry,
    clients: RegistryClients,
    confirmations: ManifestConfirmations,
    status: int,
) -> None:
    descriptor = IMAGE.push(clients.client(registry.address), "app")
    registry.plan(faults.status(status), "/manifests/latest", times=10)
    confirmations.submit_tagged(reference(registry), tagged(registry))
    assert confirmations.submit(reference(registry)).result(SOON) == Present(descriptor)


def test_a_tag_does_not_make_an_image_that_is_gone(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    confirmations.submit_tagged(reference(registry), tagged(registry))
    assert confirmations.submit(reference(registry)).result(SOON) == Missing()


def test_an_image_is_not_waited_for_once_all_is_over(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    confirmations.close()
    confirmations.submit_tagged(reference(registry), tagged(registry))
    future = confirmations.submit(reference(registry))
    assert future in wait([future], SOON).done
    assert future.cancelled()


def test_the_end_does_not_wait_for_an_image_that_is_asked_for_by_its_tag(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    is_over = threading.Event()
    registry.plan(faults.held(is_over.is_set), times=1000)
    for number in range(clients.client(registry.address).most_at_once):
        confirmations.submit(reference(registry, f"busy-{number}"))
    confirmations.submit_tagged(reference(registry), tagged(registry))
    end = threading.Thread(target=confirmations.close, daemon=True)
    end.start()
    end.join(SOON)
    is_over.set()
    assert not end.is_alive()
    assert confirmations.submit(reference(registry)).cancelled()


def test_manifests_are_asked_for_at_the_same_time(
    registry: FakeRegistry, clients: RegistryClients, confirmations: ManifestConfirmations
) -> None:
    most = clients.client(registry.address).most_at_once
    assert most > 1
    together = threading.Barrier(most, timeout=SOON)

    def answer_together(handler: BaseHTTPRequestHandler) -> None:
        together.wait()
        faults.status(404)(handler)

    registry.plan(answer_together, times=most)
    futures = [confirmations.submit(reference(registry, f"app-{n}")) for n in range(8)]
    assert {type(future.result(SOON)) for future in futures} == {Missing}


def test_a_registry_that_is_down_is_not_waited_for_twice(
    confirmations: ManifestConfirmations,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        first = confirmations.submit(ImageReference(address, "app", digest=IMAGE.digest))
        first.result(SOON)
        unused.listen()
        unused.setblocking(False)
        second = ImageReference(address, "other", digest=IMAGE.digest)
        confirmation = confirmations.submit(second).result(SOON)
        with pytest.raises(BlockingIOError):
            unused.accept()
    assert isinstance(confirmation, Unknown)
    assert isinstance(confirmation.error, RegistryUnavailableError)
    assert f"Could not look up {address}/other@" in str(confirmation.error)


def test_a_registry_that_fails_for_one_manifest_is_asked_for_the_others(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    registry.plan(faults.status(500), target="/broken/", times=None)
    assert isinstance(confirmations.submit(reference(registry, "broken")).result(SOON), Unknown)
    assert confirmations.submit(reference(registry, "sound")).result(SOON) == Missing()


def test_no_thread_runs_before_there_is_work(clients: RegistryClients) -> None:
    before = workers()
    confirmations = ManifestConfirmations(clients.client)
    assert workers() <= before
    confirmations.close()


def test_close_cancels_what_was_not_asked_and_ends_the_threads(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    is_closed = threading.Event()
    registry.plan(faults.held(is_closed.is_set), times=None)
    before = workers()
    confirmations = ManifestConfirmations(clients.client)
    most = clients.client(registry.address).most_at_once
    running = [confirmations.submit(reference(registry, f"app-{n}")) for n in range(most)]
    waiting = confirmations.submit(reference(registry, "waiting"))
    while len(registry.requests) < most:
        time.sleep(0.01)
    started = workers() - before
    confirmations.close()
    is_closed.set()
    assert waiting.cancelled()
    assert all(isinstance(each.result(SOON), Unknown) for each in running)
    assert confirmations.submit(reference(registry, "late")).cancelled()
    assert len(started) == most
    for worker in started:
        worker.join(SOON)
        assert not worker.is_alive()


def test_threads_do_not_keep_the_process_alive(
    registry: FakeRegistry, confirmations: ManifestConfirmations
) -> None:
    confirmations.submit(reference(registry)).result(SOON)
    assert workers()
    assert all(each.daemon for each in workers())
