from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.testing.processes import SOON
from pants_docker_buildkit.testing.threads import no_thread_at_first


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers("test-worker", size=2)
    yield workers
    workers.close()


def test_work_gives_its_result_or_raises(workers: Workers) -> None:
    assert workers.submit(lambda: 1 + 1).result(SOON) == 2
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result(SOON)


def test_no_more_threads_run_than_the_pool_may_have(workers: Workers) -> None:
    names = {
        workers.submit(lambda: threading.current_thread().name).result(SOON) for _ in range(20)
    }
    assert names <= {"test-worker-0", "test-worker-1"}


def test_work_is_done_at_the_same_time(workers: Workers) -> None:
    barrier = threading.Barrier(2)
    futures = [workers.submit(lambda: barrier.wait(SOON)) for _ in range(2)]
    assert {future.result(SOON) for future in futures} == {0, 1}


def test_close_cancels_what_was_not_begun(workers: Workers) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)

    def work() -> bool:
        begun.release()
        return release.wait(SOON)

    running = [workers.submit(work) for _ in range(2)]
    for _ in running:
        assert begun.acquire(timeout=SOON)
    waiting = workers.submit(work)
    workers.close()
    release.set()
    assert [future.result(SOON) for future in running] == [True, True]
    assert waiting.cancelled()
    assert workers.submit(work).cancelled()


def test_who_waits_for_several_hears_that_they_are_cancelled(workers: Workers) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)

    def work() -> bool:
        begun.release()
        return release.wait(SOON)

    futures = [workers.submit(work) for _ in range(4)]
    for _ in range(2):
        assert begun.acquire(timeout=SOON)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait, futures, SOON)
        workers.close()
        release.set()
        assert not waiting.result(SOON).not_done
    assert not wait([workers.submit(work)], SOON).not_done


def test_a_pool_that_is_widened_does_more_at_the_same_time(workers: Workers) -> None:
    barrier = threading.Barrier(4)
    futures = [workers.submit(lambda: barrier.wait(SOON)) for _ in range(4)]
    workers.widen(4)
    assert {future.result(SOON) for future in futures} == {0, 1, 2, 3}


def test_a_pool_works_on_where_no_more_threads_may_run(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_thread_at_first(monkeypatch), pytest.raises(RuntimeError):
        workers.submit(int)
    assert workers.submit(int).result(timeout=SOON) == 0
    with no_thread_at_first(monkeypatch):
        assert workers.submit(int).result(timeout=SOON) == 0


def test_a_pool_is_not_widened_for_nothing(workers: Workers) -> None:
    workers.submit(lambda: None).result(SOON)
    before = set(threading.enumerate())
    workers.widen(8)
    assert not any(
        each.name.startswith("test-worker") for each in {*threading.enumerate()} - before
    )
