from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pants_docker_buildkit.session import waits as waits_module
from pants_docker_buildkit.session.waits import Waits
from pants_docker_buildkit.testing.processes import SOON
from pants_docker_buildkit.testing.threads import no_thread_at_first


@pytest.fixture
def waits(tmp_path: Path) -> Waits:
    return Waits(tmp_path)


@pytest.fixture
def pants() -> ThreadPoolExecutor:
    return ThreadPoolExecutor()


def read(url: str) -> bytes:
    """What Pants reads, in the way in which it does."""
    assert urlsplit(url).scheme == "file"
    assert not urlsplit(url).netloc
    return Path(urlsplit(url).path).read_bytes()


def answered() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result("present")
    return future


def join(waits: Waits, *futures: Future[Any]) -> str:
    url = waits.join(futures)
    assert url is not None
    return url


def test_answers_that_are_there_need_no_wait(waits: Waits, tmp_path: Path) -> None:
    assert waits.join([answered(), answered()]) is None
    assert waits.join([]) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_has_an_end_once_all_answers_are_there(
    waits: Waits, pants: ThreadPoolExecutor
) -> None:
    first: Future[Any] = Future()
    second: Future[Any] = Future()
    reading = pants.submit(read, join(waits, first, second))
    first.set_result("present")
    time.sleep(0.1)
    assert not reading.done()
    second.set_exception(OSError("the registry is gone"))
    assert reading.result(SOON) == b""


def test_who_reads_late_or_again_finds_the_end_as_well(
    waits: Waits, pants: ThreadPoolExecutor, tmp_path: Path
) -> None:
    future: Future[Any] = Future()
    url = join(waits, future)
    future.set_result("present")
    time.sleep(0.1)
    for _ in range(2):
        assert pants.submit(read, url).result(SOON) == b""
    waits.end(url)
    waits.end(url)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_was_given_up_takes_nothing_from_another_one(
    waits: Waits, pants: ThreadPoolExecutor
) -> None:
    future: Future[Any] = Future()
    url = join(waits, future)
    both = [pants.submit(read, url) for _ in range(2)]
    time.sleep(0.1)
    future.set_result("present")
    assert [each.result(SOON) for each in both] == [b"", b""]


def test_those_who_ask_together_wait_for_one_file(waits: Waits, pants: ThreadPoolExecutor) -> None:
    futures: list[Future[Any]] = [Future() for _ in range(20)]
    (url,) = {waits.join([future], blocks=False) for future in futures}
    assert url is not None
    reading = pants.submit(read, url)
    for future in futures:
        assert not reading.done()
        future.set_result("present")
    assert reading.result(SOON) == b""


def test_who_asks_later_waits_for_a_file_of_their_own(
    waits: Waits, pants: ThreadPoolExecutor
) -> None:
    urls = []
    for _ in range(2):
        future: Future[Any] = Future()
        urls.append(join(waits, future))
        future.set_result("present")
        assert pants.submit(read, urls[-1]).result(SOON) == b""
    assert urls[0] != urls[1]


def test_a_registry_that_is_near_needs_no_file(
    waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer than that once in a while.
    monkeypatch.setattr(waits_module, "_BLOCK_SECONDS", SOON)
    for _ in range(20):
        soon: Future[Any] = Future()
        threading.Timer(0.001, soon.set_result, ("present",)).start()
        assert waits.join([soon]) is None
    assert list(tmp_path.iterdir()) == []


def test_registries_that_are_far_block_no_rule_in_the_end(
    waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked: list[float] = []

    def wait_for(futures: Sequence[Future[Any]], seconds: float | None = None) -> Any:
        if threading.current_thread() is threading.main_thread():
            blocked.append(seconds or 0.0)
        return wait(futures, seconds)

    monkeypatch.setattr(waits_module, "wait", wait_for)
    for _ in range(200):
        join(waits, Future())
    assert len(blocked) == 200
    assert 0 < sum(blocked) < 1


def test_a_directory_may_have_any_name(tmp_path: Path, pants: ThreadPoolExecutor) -> None:
    directory = tmp_path / "a b#c?d%20é"
    directory.mkdir()
    waits, future = Waits(directory), Future[Any]()
    reading = pants.submit(read, join(waits, future))
    future.set_result("present")
    assert reading.result(SOON) == b""


def test_a_session_that_ends_takes_its_waits_along(
    waits: Waits, pants: ThreadPoolExecutor, tmp_path: Path
) -> None:
    reading = pants.submit(read, join(waits, Future()))
    time.sleep(0.1)
    waits.close()
    assert reading.result(SOON) == b""
    assert list(tmp_path.iterdir()) == []
    assert waits.join([Future()]) is None
    waits.close()


def test_where_no_more_threads_may_run_nobody_waits_for_one(
    waits: Waits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with no_thread_at_first(monkeypatch):
        assert waits.join([Future()]) is None
    assert waits.join([Future()]) is not None


def test_where_nothing_can_be_made_nobody_waits_for_it(tmp_path: Path) -> None:
    waits = Waits(tmp_path / "gone")
    assert waits.join([Future()]) is None
