from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.util_rules.registry_wait import RegistryWaits

SOON = 10.0


def appears(path: Path) -> bool:
    return becomes_true(path.exists)


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def answered() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result("present")
    return future


@pytest.fixture
def waits() -> RegistryWaits:
    return RegistryWaits()


def test_answers_that_are_there_need_no_wait(waits: RegistryWaits, tmp_path: Path) -> None:
    assert waits.join([answered(), answered()], tmp_path) is None
    assert waits.join([], tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_token_appears_once_all_answers_are_there(
    waits: RegistryWaits, tmp_path: Path
) -> None:
    first: Future[Any] = Future()
    second: Future[Any] = Future()
    token = waits.join([first, second], tmp_path)
    assert token is not None
    first.set_result("present")
    time.sleep(0.1)
    assert not (tmp_path / token).exists()
    second.set_exception(OSError("the registry is gone"))
    assert appears(tmp_path / token)


def test_those_who_ask_together_wait_for_one_file(waits: RegistryWaits, tmp_path: Path) -> None:
    futures: list[Future[Any]] = [Future() for _ in range(20)]
    tokens = {waits.join([future], tmp_path) for future in futures}
    assert len(tokens) == 1
    (token,) = tokens
    assert token is not None
    for future in futures:
        future.set_result("present")
    assert appears(tmp_path / token)


def test_who_asks_later_waits_for_a_file_of_their_own(waits: RegistryWaits, tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        future: Future[Any] = Future()
        token = waits.join([future], tmp_path)
        assert token is not None
        future.set_result("present")
        assert appears(tmp_path / token)
        tokens.append(token)
    assert tokens[0] != tokens[1]


def test_a_session_that_ends_while_it_waits_is_no_failure(
    waits: RegistryWaits, tmp_path: Path
) -> None:
    directory = tmp_path / "gone"
    future: Future[Any] = Future()
    assert waits.join([future], directory) is not None
    future.set_result("present")
    time.sleep(0.1)
    assert not directory.exists()
    assert waits.join([answered()], tmp_path) is None
