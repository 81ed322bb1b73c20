from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from pants_docker_buildkit.registry import pace as pace_module
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.pace import MOST_IN_FLIGHT, NoTurnError, Pace, Paces
from pants_docker_buildkit.testing.processes import SOON

FAR, NEAR = 0.05, 0.001
GOES_ON = threading.Event()


@pytest.fixture
def pace() -> Pace:
    """One that is full."""
    pace = Pace()
    for _ in range(pace.limit):
        pace.enter(GOES_ON)
    return pace


def answer(pace: Pace, *seconds: float) -> None:
    """One answer after the other, each followed by as many requests as there may be."""
    for each in seconds:
        limit = pace.limit
        pace.leave("GET", each)
        for _ in range(1 + pace.limit - limit):
            pace.enter(GOES_ON)


def test_a_far_server_gets_more_at_once(pace: Pace) -> None:
    first = pace.limit
    answer(pace, *[FAR] * 4)
    assert pace.limit == 4 * first


def test_a_near_server_does_not(pace: Pace) -> None:
    first = pace.limit
    answer(pace, *[NEAR] * 16)
    assert pace.limit == first


def test_a_server_that_takes_longer_for_it_does_not(pace: Pace) -> None:
    answer(pace, FAR)
    reached = pace.limit
    answer(pace, *[4 * FAR] * 16)
    assert pace.limit == reached


def test_there_is_a_limit_that_no_server_passes(pace: Pace) -> None:
    answer(pace, *[FAR] * 2 * MOST_IN_FLIGHT)
    assert pace.limit == MOST_IN_FLIGHT


def test_nobody_goes_further_than_there_is_need_for() -> None:
    pace = Pace()
    first = pace.limit
    for _ in range(50):
        pace.enter(GOES_ON)
        pace.leave("GET", FAR)
    assert pace.limit == first


def test_refusals_of_one_moment_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    first = pace.limit
    # A moment lasts, however long this takes.
    monkeypatch.setattr(pace_module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    for _ in range(5):
        pace.pause(0.05)
    assert pace.limit == first / 2


def test_a_near_server_that_refused_gets_as_many_again_as_before() -> None:
    pace = Pace()
    first = pace.limit
    pace.pause(0.0)
    assert pace.limit < first
    for _ in range(100):
        pace.enter(GOES_ON)
        pace.leave("GET", NEAR)
    assert pace.limit == first


def test_a_server_that_wants_to_be_left_alone_is() -> None:
    pace = Pace()
    started = time.monotonic()
    pace.pause(0.05)
    pace.enter(GOES_ON)
    assert time.monotonic() - started >= 0.05


def test_one_at_a_time_is_the_least() -> None:
    pace = Pace()
    for _ in range(10):
        pace.pause(0)
    assert pace.limit == 1


def test_who_waits_goes_with_the_session() -> None:
    pace, is_over = Pace(), threading.Event()
    pace.pause(60)
    is_over.set()
    with pytest.raises(NoTurnError, match="the session ended"):
        pace.enter(is_over)


class _WatchedPace(Pace):
    """One that tells which threads looked whether it is their turn."""

    def __init__(self) -> None:
        super().__init__()
        self.lookers: set[int] = set()

    def _is_free(self) -> bool:
        self.lookers.add(threading.get_ident())
        return super()._is_free()


@pytest.mark.parametrize("answers_since", [False, True])
def test_who_waits_for_a_server_that_is_lost_hears_so(*, answers_since: bool) -> None:
    pace, is_over = _WatchedPace(), threading.Event()
    for _ in range(pace.limit):
        pace.enter(GOES_ON)
    found: list[str] = []

    def wait() -> None:
        try:
            pace.enter(is_over)
        except NoTurnError as e:
            found.append(str(e))

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(pace.lookers) < 1 + len(threads):
        time.sleep(0.001)
    before = pace.answers
    if answers_since:
        pace.leave("GET", NEAR)
    pace.lose("connection refused", before)
    is_over.set()
    for thread in threads:
        thread.join(SOON)
    lost = "connection refused" in found
    assert lost is not answers_since


def test_each_server_has_a_pace_of_its_own() -> None:
    paces = Paces()
    near, far = (Origin("https", host, 443) for host in ("near.example", "far.example"))
    assert paces.of(near) is paces.of(Origin("https", "near.example", 443))
    assert paces.of(near) is not paces.of(far)
