from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from pants_docker_buildkit.session.garbage import GarbageCollection

SOON = 10.0


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_restored() -> bool:
    return gc.get_freeze_count() == 0


@pytest.fixture
def garbage() -> Iterator[GarbageCollection]:
    # Sessions of other tests may be about to end.
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
    gc.callbacks.clear()
    gc.unfreeze()
    garbage = GarbageCollection(idle_seconds=0.05, has_lock=True)
    yield garbage
    # A timer that is left would work on the next test.
    if not is_restored():
        garbage.end_session()
    assert becomes_true(is_restored)
    assert gc.callbacks == []


def is_gone(kept: weakref.ref[Cycle]) -> bool:
    gc.collect()
    return kept() is None


def test_a_session_sets_aside_what_was_there_before(garbage: GarbageCollection) -> None:
    old = Cycle()
    kept = weakref.ref(old)
    garbage.begin_session()
    assert gc.get_freeze_count() > 1000
    del old
    assert not is_gone(kept)
    garbage.end_session()
    assert becomes_true(lambda: kept() is None)
    assert becomes_true(is_restored)


def test_what_a_session_throws_away_is_found_in_it(garbage: GarbageCollection) -> None:
    garbage.begin_session()
    new = Cycle()
    kept = weakref.ref(new)
    del new
    assert is_gone(kept)


def test_what_a_collection_has_seen_is_looked_at_after_the_session(
    garbage: GarbageCollection,
) -> None:
    garbage.begin_session()
    seen = Cycle()
    kept = weakref.ref(seen)
    before = gc.get_freeze_count()
    gc.collect()
    assert gc.get_freeze_count() > before
    del seen
    assert not is_gone(kept)
    garbage.end_session()
    assert becomes_true(lambda: kept() is None)


def test_a_session_that_comes_soon_goes_on(garbage: GarbageCollection) -> None:
    for _ in range(3):
        garbage.begin_session()
        garbage.end_session()
    garbage.begin_session()
    time.sleep(0.2)
    assert not is_restored()


def test_sessions_of_two_graphs_leave_nothing_behind(garbage: GarbageCollection) -> None:
    other = GarbageCollection(idle_seconds=0.05, has_lock=True)
    for each in (garbage, other, other):
        each.begin_session()
    other.end_session()
    assert becomes_true(is_restored)
    garbage.begin_session()
    assert not is_restored()


def test_without_the_lock_nothing_is_set_aside() -> None:
    other, callbacks, frozen = (
        GarbageCollection(has_lock=False),
        list(gc.callbacks),
        gc.get_freeze_count(),
    )
    other.begin_session()
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == frozen
    other.end_session()
