from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from pants_docker_buildkit.session.local_engine import LocalEngine, LocalEngineError, LocalImage
from pants_docker_buildkit.session.testing.fake_engine import FakeEngine
from pants_docker_buildkit.testing.processes import SOON

REFERENCE = f"localhost:5000/team/app@sha256:{'a' * 64}"


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


@pytest.fixture
def fake(socket: Path) -> Iterator[FakeEngine]:
    with FakeEngine(socket).running() as engine:
        engine.images.add(REFERENCE)
        yield engine


@pytest.fixture
def engine(socket: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine("here", lambda: nullcontext(str(socket)))
    yield engine
    engine.close()


def test_image_that_the_engine_has_gets_its_tags(fake: FakeEngine, engine: LocalEngine) -> None:
    found = engine.find(REFERENCE, ["localhost:5000/team/app:1", "app:latest"]).result(SOON)
    assert found == LocalImage(is_present=True)
    assert fake.tags == [(REFERENCE, "localhost:5000/team/app:1"), (REFERENCE, "app:latest")]


def test_tag_that_the_engine_cannot_set_is_said_and_keeps_no_other_from_being_set(
    fake: FakeEngine, engine: LocalEngine
) -> None:
    fake.refusals["app:1"] = "read-only"
    found = engine.find(REFERENCE, ["app:1", "app:2"]).result(SOON)
    assert found == LocalImage(True, (("app:1", "read-only"),))
    assert fake.tags == [(REFERENCE, "app:2")]


def test_tag_that_another_session_sets_at_the_same_moment_is_set_again(
    fake: FakeEngine, engine: LocalEngine
) -> None:
    fake.races["app:1"] = 2
    assert engine.find(REFERENCE, ["app:1"]).result(SOON) == LocalImage(is_present=True)
    assert fake.tags == [(REFERENCE, "app:1")]


def test_image_that_is_not_that_of_its_target_any_more_gets_no_tags(
    fake: FakeEngine, engine: LocalEngine
) -> None:
    found = engine.find(REFERENCE, ["app:1"], lambda: nullcontext(enter_result=False)).result(SOON)
    assert found == LocalImage(is_present=True)
    assert fake.tags == []


def test_image_that_the_engine_lost_is_missing_and_gets_no_tag(
    fake: FakeEngine, engine: LocalEngine
) -> None:
    fake.images.clear()
    assert engine.find(REFERENCE, ["app:1"]).result(SOON) == LocalImage(is_present=False)
    assert fake.tags == []


def test_many_are_asked_for_at_once(fake: FakeEngine, engine: LocalEngine) -> None:
    answers = [engine.find(REFERENCE, [f"app:{number}"]) for number in range(50)]
    assert {answer.result(SOON) for answer in answers} == {LocalImage(is_present=True)}
    assert sorted(tag for _, tag in fake.tags) == sorted(f"app:{number}" for number in range(50))
    assert fake.requests.count("GET /version") == 1


def test_many_are_asked_for_over_few_connections(fake: FakeEngine, engine: LocalEngine) -> None:
    fake.has_all = True
    answers = [engine.find(f"app-{number}:1", [f"app-{number}:2"]) for number in range(30)]
    assert {answer.result(SOON) for answer in answers} == {LocalImage(is_present=True)}
    # One that asked for the version, and those of the threads.
    assert len(fake.connections) <= 5


def test_engine_that_does_not_answer_is_not_taken_for_one_without_the_image(
    engine: LocalEngine, socket: Path
) -> None:
    with pytest.raises(LocalEngineError, match=r"^No such file or directory$"):
        engine.find(REFERENCE, []).result(SOON)
    with FakeEngine(socket).running() as late:
        late.has_all = True
        assert engine.find(REFERENCE, []).result(SOON) == LocalImage(is_present=True)


def test_an_engine_that_is_nowhere_is_looked_for_again_and_its_socket_is_closed_at_the_end(
    fake: FakeEngine, socket: Path
) -> None:
    events: list[str] = []

    @contextmanager
    def opened() -> Iterator[str]:
        events.append("open")
        yield str(socket)
        events.append("closed")

    def open_socket() -> AbstractContextManager[str]:
        if not events:
            events.append("nowhere")
            raise LookupError("nowhere")
        return opened()

    engine = LocalEngine("here", open_socket)
    with pytest.raises(LookupError, match="nowhere"):
        engine.find(REFERENCE, []).result(SOON)
    for _ in range(2):
        assert engine.find(REFERENCE, []).result(SOON).is_present
    assert events == ["nowhere", "open"]
    engine.close()
    assert events == ["nowhere", "open", "closed"]
    assert fake.requests.count("GET /version") == 1


def test_the_end_does_not_wait_for_an_engine_that_says_nothing(
    fake: FakeEngine, socket: Path
) -> None:
    is_asked, is_over = threading.Event(), threading.Event()

    @contextmanager
    def say_nothing() -> Iterator[str]:
        is_asked.set()
        is_over.wait()
        yield str(socket)

    engine = LocalEngine("here", say_nothing)
    answers = [engine.find(REFERENCE, []) for _ in range(2)]
    assert is_asked.wait(SOON)
    end = threading.Thread(target=engine.close, daemon=True)
    end.start()
    end.join(SOON)
    is_waiting = end.is_alive()
    is_over.set()
    assert not is_waiting
    for answer in answers:
        with pytest.raises((LocalEngineError, CancelledError)):
            answer.result(SOON)
    assert not any("images" in each for each in fake.requests)


def test_a_question_that_comes_late_opens_nothing(
    fake: FakeEngine, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As one that a thread had begun with.
    monkeypatch.setattr(engine._workers, "close", lambda: None)
    engine.close()
    with pytest.raises(LocalEngineError, match="the session ended"):
        engine.find(REFERENCE, []).result(SOON)
    assert fake.requests == []
