from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pants_docker_buildkit.registry.pace import FIRST_IN_FLIGHT
from pants_docker_buildkit.registry.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers("test-worker", size=2)
    yield workers
    workers.close()


def test_work_gives_its_result_or_raises(workers: Workers) -> None:
    assert workers.submit(lambda: 1 + 1).result(5) == 2
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result(5)


def test_no_more_threads_run_than_the_pool_may_have(workers: Workers) -> None:
    names = {workers.submit(lambda: threading.current_thread().name).result(5) for _ in range(20)}
    assert names <= {"test-worker-0", "test-worker-1"}


def test_work_is_done_at_the_same_time(workers: Workers) -> None:
    barrier = threading.Barrier(2)
    futures = [workers.submit(lambda: barrier.wait(5)) for _ in range(2)]
    assert {future.result(5) for future in futures} == {0, 1}


class Pool:
    """Workers that are watched: how many work at the same time, and how many have begun."""

    def __init__(self) -> None:
        self.workers = Workers("test-pool", size=100)
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def work(self, seconds: float) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(seconds)
        with self._lock:
            self._now -= 1


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.workers.close()


def test_work_that_is_done_at_once_needs_few_threads(pool: Pool) -> None:
    futures = [pool.workers.submit(lambda: pool.work(0)) for _ in range(2000)]
    for each in futures:
        each.result(30)
    assert pool.most <= FIRST_IN_FLIGHT


def test_work_that_waits_long_gets_more_threads(pool: Pool) -> None:
    futures = [pool.workers.submit(lambda: pool.work(0.03)) for _ in range(400)]
    for each in futures:
        each.result(30)
    assert pool.most > 2 * FIRST_IN_FLIGHT


def test_work_that_hangs_does_not_keep_the_rest_waiting(pool: Pool) -> None:
    release = threading.Event()
    hanging = [pool.workers.submit(lambda: release.wait(30)) for _ in range(3 * FIRST_IN_FLIGHT)]
    assert pool.workers.submit(lambda: True).result(10)
    release.set()
    assert all(each.result(10) for each in hanging)


def test_close_cancels_what_was_not_begun(workers: Workers) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)

    def work() -> bool:
        begun.release()
        return release.wait(5)

    running = [workers.submit(work) for _ in range(2)]
    for _ in running:
        assert begun.acquire(timeout=5)
    waiting = workers.submit(work)
    workers.close()
    release.set()
    assert [future.result(5) for future in running] == [True, True]
    assert waiting.cancelled()
    assert workers.submit(work).cancelled()


def test_one_server_does_not_slow_down_another_one(workers: Workers) -> None:
    release = threading.Event()
    hanging = [workers.submit(lambda: release.wait(30), "far.example") for _ in range(10)]
    assert workers.submit(lambda: True, "near.example").result(5)
    workers.close()
    assert workers.submit(lambda: True, "third.example").cancelled()
    release.set()
    assert [each.cancelled() or each.result(5) for each in hanging] == [True] * 10
