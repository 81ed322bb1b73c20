from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.waits import Waits

PATIENCE = 30.0


def test_all_that_are_found_while_others_look_are_told() -> None:
    missing = MissingImages(quiet_seconds=0.2)
    with missing.looking():
        first = missing.add("b:b", "no cached record")
        second = missing.add("a:a", "a.txt changed")
        assert not first.done()
    expected = {"a:a": "a.txt changed", "b:b": "no cached record"}
    assert first.result(PATIENCE) == second.result(PATIENCE) == expected
    assert list(first.result()) == ["a:a", "b:b"]


def test_nobody_is_told_while_one_looks() -> None:
    missing = MissingImages(quiet_seconds=0.0)
    with missing.looking():
        answer = missing.add("a:a", "a")
        with missing.looking():
            missing.add("b:b", "b")
        assert not answer.done()
        missing.add("c:c", "c")
    assert set(answer.result(PATIENCE)) == {"a:a", "b:b", "c:c"}


def test_who_waits_makes_room_for_those_who_still_look(tmp_path: Path) -> None:
    missing, waits = MissingImages(quiet_seconds=0.1), Waits(tmp_path)
    registry: Future[str] = Future()
    with missing.looking():
        settled = missing.add("a:a", "a")
        pause = missing.pause()
        assert missing.pause() is pause
        # The look-up of another image waits for its registry, in the same process.
        token = waits.join([registry])
        assert token is not None
        assert waits.join([pause]) == token
        registry.set_result("is there")
        with open(tmp_path / token, "rb") as fifo:
            assert fifo.read(1) == b"\n"
    assert pause.done()
    assert settled.result(PATIENCE) == {"a:a": "a"}
    assert missing.pause() is not pause
    waits.close()
