from __future__ import annotations

from pants_docker_buildkit.session.missing_images import MissingImages

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
