"""What outlives one rule, used by many threads at once: Pants 2.34 runs rules without a lock.

On a Python with a lock, threads are made to take turns as often as it lets them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers
from pants_docker_buildkit.session.confirmed_images import ConfirmedImages, shard_of
from pants_docker_buildkit.session.local_tags import LocalTags
from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.testing.processes import SOON

THREADS, ROUNDS = 8, 200
T = TypeVar("T")


@pytest.fixture(autouse=True)
def many_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def side_by_side(work: Callable[[int], T]) -> list[T]:
    """What the threads make of their numbers. They begin together."""
    start = threading.Barrier(THREADS)

    def begin(number: int) -> T:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def digest_of(number: int) -> str:
    return f"sha256:{number:064x}"


def test_each_attempt_has_one_number_for_all() -> None:
    keeper = SessionKeeper()
    numbers = side_by_side(lambda _: [keeper.attempt("key", 0, each) for each in range(ROUNDS)])
    assert all(each == numbers[0] for each in numbers)
    assert sorted(numbers[0]) == list(range(1, ROUNDS + 1))


def test_no_confirmation_is_lost_while_shards_are_read() -> None:
    confirmed = ConfirmedImages()
    references = [
        [
            ImageReference.parse_familiar(
                f"ghcr.io/org/a{round_ % 5}@{digest_of(number * ROUNDS + round_)}"
            )
            for round_ in range(ROUNDS)
        ]
        for number in range(THREADS)
    ]

    def confirm(number: int) -> bool:
        for each in references[number]:
            confirmed.add([each])
            assert each in confirmed.ask(shard_of([each]))
        return all(confirmed.has([each]) for each in references[number])

    assert all(side_by_side(confirm))


def test_of_two_targets_with_one_tag_at_least_one_is_told() -> None:
    for _ in range(ROUNDS):
        tags = LocalTags()
        told = side_by_side(partial(_claim, tags))
        assert sum(told) == THREADS - 1


def _claim(tags: LocalTags, number: int) -> bool:
    return bool(tags.claim(f"t{number}", digest_of(number), ["a:1"]))


def test_the_memory_of_manifests_keeps_within_its_bounds() -> None:
    known = KnownManifests(most_bytes=100)

    def use(number: int) -> None:
        for each in range(ROUNDS):
            digest = parse_oci_digest(digest_of(number * ROUNDS + each))
            descriptor = Descriptor("application/vnd.oci.image.manifest.v1+json", digest, 10)
            known.add(descriptor, b"0123456789")
            known.find(digest)

    side_by_side(use)
    kept = [known.find(parse_oci_digest(digest_of(each))) for each in range(THREADS * ROUNDS)]
    assert len([each for each in kept if each is not None]) == 10


def test_a_registry_has_one_client_for_all() -> None:
    clients = RegistryClients()
    found = side_by_side(lambda _: [clients.client(f"r{each}.example") for each in range(ROUNDS)])
    clients.close()
    assert all(one is other for each in found for one, other in zip(each, found[0]))


def test_all_missing_images_are_told_together() -> None:
    missing = MissingImages(pause_seconds=0.001)
    start = threading.Barrier(THREADS)

    def look(number: int) -> set[str]:
        with missing.looking(f"t{number}"):
            start.wait()
            missing.add(f"t{number}", "why")
        while (found := missing.all()) is None:
            missing.pause().result(SOON)
            for each in missing.undecided():
                missing.decide(each, ())
        return set(found)

    expected = {f"t{number}" for number in range(THREADS)}
    for _ in range(20):
        missing.begin_session()
        assert all(each == expected for each in side_by_side(look))


def test_nobody_waits_for_an_answer_of_a_session_that_has_ended() -> None:
    client = cast(RegistryClient, SimpleNamespace(most_at_once=2))
    for _ in range(5):
        workers = RegistryWorkers("test-worker", lambda *_: client)
        futures = side_by_side(partial(_ask, workers))
        assert not wait([*chain(*futures)], SOON).not_done


def _ask(workers: RegistryWorkers, number: int) -> list[Future[None]]:
    futures = []
    for round_ in range(ROUNDS):
        if number == 0 and round_ == ROUNDS // 2:
            workers.close()
        futures.append(workers.submit(f"r{round_ % 3}.example", "app", lambda _: None))
    return futures
