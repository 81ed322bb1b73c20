from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session import waits as waits_module
from pants_docker_buildkit.session.waits import Waits, wake_all

READ = 'read -r _ <"$0"'
SOON = 10.0


def waiting(path: Path) -> subprocess.Popen[bytes]:
    """A process that waits as those of rules do."""
    return subprocess.Popen(["/bin/sh", "-c", READ, str(path)])


def ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(SOON)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def answered() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result("present")
    return future


def join(waits: Waits, *futures: Future[Any]) -> str:
    token = waits.join(futures)
    assert token is not None
    return token


@pytest.fixture
def waits(tmp_path: Path) -> Waits:
    return Waits(tmp_path)


def test_answers_that_are_there_need_no_wait(waits: Waits, tmp_path: Path) -> None:
    assert waits.join([answered(), answered()]) is None
    assert waits.join([]) is None
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_once_all_answers_are_there(waits: Waits, tmp_path: Path) -> None:
    first: Future[Any] = Future()
    second: Future[Any] = Future()
    process = waiting(tmp_path / join(waits, first, second))
    first.set_result("present")
    time.sleep(0.1)
    assert process.poll() is None
    second.set_exception(OSError("the registry is gone"))
    assert ends(process)


def test_a_process_that_starts_after_the_answers_ends_as_well(waits: Waits, tmp_path: Path) -> None:
    future: Future[Any] = Future()
    token = join(waits, future)
    future.set_result("present")
    time.sleep(0.1)
    assert ends(waiting(tmp_path / token))
    waits.end(token)
    waits.end(token)
    assert list(tmp_path.iterdir()) == []


def test_those_who_ask_together_wait_for_one_process(waits: Waits, tmp_path: Path) -> None:
    futures: list[Future[Any]] = [Future() for _ in range(20)]
    (token,) = {join(waits, future) for future in futures}
    process = waiting(tmp_path / token)
    for future in futures:
        future.set_result("present")
    assert ends(process)


def test_who_asks_later_waits_for_a_process_of_their_own(waits: Waits, tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        future: Future[Any] = Future()
        tokens.append(join(waits, future))
        future.set_result("present")
        assert ends(waiting(tmp_path / tokens[-1]))
    assert tokens[0] != tokens[1]


def join_with_answer(waits: Waits) -> str:
    """Join as a rule whose answer comes at once, before Pants has started a process for it."""
    future: Future[Any] = Future()
    token = waits.join([future], blocks=False)
    assert token is not None
    future.set_result("present")
    return token


def test_those_who_come_one_after_the_other_wait_for_one_process(
    waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits_module, "_SETTLE_SECONDS", 2.0)
    monkeypatch.setattr(waits_module, "_LONGEST_SETTLE_SECONDS", SOON)
    tokens = set()
    for _ in range(4):
        tokens.add(join_with_answer(waits))
        time.sleep(0.1)
    (token,) = tokens
    assert ends(waiting(tmp_path / token))


def test_nobody_waits_for_long_because_others_come(
    waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits_module, "_SETTLE_SECONDS", 60.0)
    monkeypatch.setattr(waits_module, "_LONGEST_SETTLE_SECONDS", 0.2)
    first = join_with_answer(waits)
    assert ends(waiting(tmp_path / first))
    assert join_with_answer(waits) != first


def test_one_rule_alone_needs_no_process_for_a_moment_however_long_others_waited(
    waits: Waits, tmp_path: Path
) -> None:
    late: list[Future[Any]] = [Future() for _ in range(5)]
    tokens = {join(waits, future) for future in late}
    for future in late:
        future.set_result("present")
    for token in tokens:
        assert ends(waiting(tmp_path / token))
        waits.end(token)
    soon: Future[Any] = Future()
    threading.Timer(0.2, soon.set_result, ("present",)).start()
    assert waits.join([soon]) is None
    assert list(tmp_path.iterdir()) == []


def test_only_one_rule_at_a_time_blocks_for_longer(waits: Waits) -> None:
    first: Future[Any] = Future()
    found: list[str | None] = []
    alone = threading.Thread(target=lambda: found.append(waits.join([first])))
    alone.start()
    time.sleep(0.05)
    started = time.monotonic()
    assert waits.join([Future()]) is not None
    assert time.monotonic() - started < 0.2
    first.set_result("present")
    alone.join(SOON)
    assert found == [None]


def test_registries_that_are_slow_block_no_rule_in_the_end(waits: Waits, tmp_path: Path) -> None:
    took = []
    for _ in range(4):
        future: Future[Any] = Future()
        started = time.monotonic()
        token = join(waits, future)
        took.append(time.monotonic() - started)
        future.set_result("present")
        assert ends(waiting(tmp_path / token))
        waits.end(token)
        time.sleep(0.05)
    assert min(took[:2]) > 0.4
    assert took[3] < 0.2


def test_a_session_that_ends_takes_its_waits_along(waits: Waits, tmp_path: Path) -> None:
    process = waiting(tmp_path / join(waits, Future()))
    time.sleep(0.1)
    waits.close()
    assert ends(process)
    assert list(tmp_path.iterdir()) == []
    assert waits.join([Future()]) is None


def test_where_no_fifo_can_be_made_nobody_waits_for_one(tmp_path: Path) -> None:
    waits = Waits(tmp_path / "gone")
    assert waits.join([Future()]) is None


def test_a_process_does_not_outlive_the_one_that_would_wake_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from concurrent.futures import Future; from pathlib import Path\n"
        "from pants_docker_buildkit.session.waits import Waits\n"
        "print(Waits(Path(sys.argv[1])).join([Future()]), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as pants:
        assert pants.stdout is not None
        process = waiting(tmp_path / pants.stdout.readline().strip())
        time.sleep(0.1)
        assert process.poll() is None
        pants.kill()
    assert ends(process)


def test_a_process_that_came_too_late_for_a_crash_is_woken_by_the_next_session(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "left")
    process = waiting(tmp_path / "left")
    time.sleep(0.1)
    assert process.poll() is None
    wake_all(tmp_path)
    assert ends(process)
    wake_all(tmp_path / "gone")
