from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.waits import Waits
from pants_docker_buildkit.testing.processes import SOON

ROUNDS = 20
"""More than are needed where nothing happens."""


def pass_rounds(missing: MissingImages, rounds: int = ROUNDS) -> Mapping[str, str] | None:
    """What is told of after so many rounds in which nothing happens, or before."""
    for _ in range(rounds):
        missing.pause().result(SOON)
        if missing.all() is not None:
            break
    return missing.all()


def test_a_pause_that_could_not_begin_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = MissingImages(pause_seconds=0.001)

    def refuse(_: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", refuse)
        with pytest.raises(RuntimeError):
            missing.pause()
    missing.pause().result(SOON)


def test_all_that_are_found_are_told_once_nothing_happens_any_more() -> None:
    missing = MissingImages(pause_seconds=0.001)
    with missing.looking("b:b"):
        pass
    missing.add("b:b", "no cached record")
    assert missing.all() is None
    with missing.looking("a:a"):
        pass
    missing.add("a:a", "a.txt changed")
    found = pass_rounds(missing)
    assert found == {"a:a": "a.txt changed", "b:b": "no cached record"}
    assert list(found) == ["a:a", "b:b"]


def test_nobody_is_told_while_one_looks_that_needs_nothing_that_is_missing() -> None:
    missing = MissingImages(pause_seconds=0.001)
    missing.add("a:a", "a")
    with missing.looking("b:b"):
        assert pass_rounds(missing) is None
        assert missing.undecided() == ("b:b",)
        missing.decide("b:b", ["b:b", "c:c"])
        assert missing.undecided() == ()
        assert pass_rounds(missing) is None
    missing.add("b:b", "b")
    assert set(pass_rounds(missing) or ()) == {"a:a", "b:b"}


def test_who_needs_what_is_missing_is_not_waited_for() -> None:
    missing = MissingImages(pause_seconds=0.001)
    with missing.looking("above:a"), missing.looking("other:o", needs=()):
        missing.add("base:b", "b")
        assert pass_rounds(missing) is None
        missing.decide("above:a", ["base:b"])
        assert pass_rounds(missing) is None


def test_only_who_needs_what_is_missing_holds_nobody_up() -> None:
    missing = MissingImages(pause_seconds=0.001)
    with missing.looking("above:a"):
        missing.add("base:b", "b")
        missing.decide("above:a", ["above:a", "base:b"])
        assert pass_rounds(missing) == {"base:b": "b"}


def test_nobody_is_asked_what_it_needs_as_long_as_anything_happens() -> None:
    missing = MissingImages(pause_seconds=0.001)
    missing.add("a:a", "a")
    with missing.looking("b:b"):
        for _ in range(ROUNDS):
            missing.pause().result(SOON)
            assert missing.undecided() == ()
            with missing.looking("c:c"):
                pass
        assert missing.all() is None


def test_an_image_in_two_forms_does_not_need_itself() -> None:
    missing = MissingImages(pause_seconds=0.001)
    with missing.looking("a:a"):
        missing.add("a:a", "a")
        missing.decide("a:a", ["a:a"])
        assert pass_rounds(missing) is None


def test_the_next_session_knows_nothing_but_who_looks() -> None:
    missing = MissingImages(pause_seconds=0.001)
    missing.add("a:a", "a")
    with missing.looking("b:b"):
        missing.begin_session()
        missing.add("c:c", "c")
        assert pass_rounds(missing) is None
    assert pass_rounds(missing) == {"c:c": "c"}


def test_who_looks_is_waited_for_however_slow_that_is() -> None:
    missing = MissingImages(pause_seconds=0.001)
    names = [f"t:{number}" for number in range(8)]

    def look(name: str, delay: float, held: ExitStack) -> None:
        with held:
            time.sleep(delay)
            missing.add(name, "why")

    for number, name in enumerate(names):
        held = ExitStack()
        held.enter_context(missing.looking(name))
        threading.Thread(target=look, args=(name, number * 0.05, held)).start()
    assert list(pass_rounds(missing, rounds=10_000) or ()) == names


def test_who_waits_makes_room_for_those_who_still_look(tmp_path: Path) -> None:
    # It ends when the test says so.
    missing, waits = MissingImages(pause_seconds=3600.0), Waits(tmp_path)
    registry: Future[str] = Future()
    missing.add("a:a", "a")
    pause = missing.pause()
    assert missing.pause() is pause
    # The look-up of another image waits for its registry, with the same file.
    url = waits.join([registry])
    assert url is not None
    assert waits.join([pause], blocks=False) == url
    registry.set_result("is there")
    pause.set_result(None)
    assert Path(urlsplit(url).path).read_bytes() == b""
    assert missing.pause() is not pause
    waits.close()
