from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import pytest

from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers
from pants_docker_buildkit.testing.processes import SOON


class _Client:
    """A registry that takes so many requests at once."""

    most_at_once = 2


@pytest.fixture
def client() -> _Client:
    return _Client()


@pytest.fixture
def workers(client: _Client) -> Iterator[RegistryWorkers]:
    workers = RegistryWorkers("test-worker", lambda *_: cast(RegistryClient, client))
    yield workers
    workers.close()


def test_work_gets_the_client_and_gives_its_result_or_raises(
    workers: RegistryWorkers, client: _Client
) -> None:
    assert workers.submit("r.example", "app", lambda given: id(given)).result(SOON) == id(client)
    with pytest.raises(ZeroDivisionError):
        workers.submit("r.example", "app", lambda _: 1 // 0).result(SOON)


def test_a_registry_is_asked_on_as_many_threads_as_it_takes_requests(
    workers: RegistryWorkers, client: _Client
) -> None:
    barrier = threading.Barrier(3)

    def meet(_: RegistryClient) -> int:
        return barrier.wait(SOON)

    futures = [workers.submit("r.example", "app", meet) for _ in range(2)]
    workers.submit("r.example", "app", lambda _: None)
    assert not any(future.done() for future in futures)
    # Another registry has threads of its own.
    futures.append(workers.submit("other.example", "app", meet))
    assert {future.result(SOON) for future in futures} == {0, 1, 2}


def test_a_registry_that_takes_more_gets_more_threads(
    workers: RegistryWorkers, client: _Client
) -> None:
    barrier = threading.Barrier(4)

    def grow(_: RegistryClient) -> None:
        client.most_at_once = 4

    grown = workers.submit("r.example", "app", grow)
    futures = [workers.submit("r.example", "app", lambda _: barrier.wait(SOON)) for _ in range(4)]
    grown.result(SOON)
    assert {future.result(SOON) for future in futures} == {0, 1, 2, 3}


def test_what_is_submitted_after_the_end_is_cancelled(workers: RegistryWorkers) -> None:
    workers.close()
    assert workers.submit("r.example", "app", lambda _: None).cancelled()


def test_who_hears_of_the_end_may_ask_another_registry(client: _Client) -> None:
    workers = RegistryWorkers("test-worker", lambda *_: cast(RegistryClient, client))
    is_over = threading.Event()
    for _ in range(_Client.most_at_once):
        workers.submit("r.example", "app", lambda _: is_over.wait())
    waiting = workers.submit("r.example", "app", lambda _: None)
    asked = []
    waiting.add_done_callback(
        lambda _: asked.append(workers.submit("other.example", "app", lambda _: None))
    )
    closing = threading.Thread(target=workers.close, daemon=True)
    closing.start()
    closing.join(SOON)
    is_over.set()
    assert not closing.is_alive()
    assert [future.cancelled() for future in asked] == [True]
