from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session import full_collections
from pants_docker_buildkit.session.full_collections import FullCollections
from pants_docker_buildkit.testing.processes import SOON

THRESHOLDS = (700, 10, 10)

PROGRAM = """\
import os
from pants_docker_buildkit.session.full_collections import FULL_COLLECTIONS

class Found:
    def __init__(self):
        self.itself = self
    def __del__(self, write=os.write):
        write(1, b"found")

kept = Found()
{}
"""
"""At its end prints whether a collection of garbage found an object that only itself refers to."""


@pytest.fixture(autouse=True)
def _thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(full_collections, "_IDLE_SECONDS", 3600.0)
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 11))
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    yield
    gc.set_threshold(*before)


def timers(collections: FullCollections) -> list[threading.Timer]:
    """What is to happen later."""
    found = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    return [each for each in found if each.function == collections._make_up]


@pytest.fixture
def full_collection() -> Iterator[threading.Event]:
    """Set by a full collection of Python's."""
    seen = threading.Event()

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.set()

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_full_collections_are_rare_until_all_sessions_have_ended() -> None:
    collections = FullCollections()
    collections.put_off()
    collections.put_off()
    collections.allow()
    assert gc.get_threshold() == (700, 10, 500)
    collections.allow()
    assert gc.get_threshold() == THRESHOLDS


def test_what_was_put_off_is_done_when_nobody_waits(
    full_collection: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_collections, "_IDLE_SECONDS", 0.01)
    collections = FullCollections()
    collections.put_off()
    collections.allow()
    assert full_collection.wait(SOON)


def test_the_next_session_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    collections = FullCollections()
    collections.put_off()
    collections.allow()
    collections.put_off()
    threads: list[threading.Thread] = []
    monkeypatch.setattr(gc, "collect", lambda: threads.append(threading.current_thread()))
    (timer,) = timers(collections)
    timer.function()
    timer.cancel()
    assert threading.current_thread() not in threads


def test_a_session_that_put_off_nothing_leaves_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 10))
    collections = FullCollections()
    collections.put_off()
    collections.allow()
    assert not timers(collections)


@pytest.mark.parametrize("thresholds", [(0, 10, 10), (700, 10, 0), (700, 10, 1000)])
def test_what_is_set_by_others_stays(thresholds: tuple[int, int, int]) -> None:
    gc.set_threshold(*thresholds)
    collections = FullCollections()
    collections.put_off()
    assert gc.get_threshold() == thresholds
    collections.allow()
    assert gc.get_threshold() == thresholds
    assert not timers(collections)


@pytest.mark.parametrize(
    ("session", "output"), [("", "found"), ("FULL_COLLECTIONS.put_off()", "")], ids=["none", "some"]
)
def test_a_process_that_had_a_session_ends_without_a_collection(session: str, output: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(session)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == output
