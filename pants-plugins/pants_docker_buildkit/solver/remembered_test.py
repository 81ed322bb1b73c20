from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.remembered import forget, remember


def test_what_was_asked_once_is_known_until_it_is_forgotten(tmp_path: Path) -> None:
    answers = iter(("first", "", "second"))
    assert remember(tmp_path, "builder", "a", answers.__next__) == "first"
    assert remember(tmp_path, "builder", "a", answers.__next__) == "first"
    assert remember(tmp_path, "builder", "b", answers.__next__) == ""
    assert remember(tmp_path, "builder", "b", answers.__next__) == ""
    forget(tmp_path, "builder")
    assert remember(tmp_path, "builder", "a", answers.__next__) == "second"


def test_an_answer_for_which_there_is_no_room_is_asked_for_again(tmp_path: Path) -> None:
    answer = "long" * 3000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            remember(tmp_path, "builder", "a", lambda: answer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert remember(tmp_path, "builder", "a", lambda: answer) == answer
