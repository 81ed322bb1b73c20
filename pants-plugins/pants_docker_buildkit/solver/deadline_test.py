from __future__ import annotations

import subprocess

import pytest

from pants_docker_buildkit.solver import deadline as deadline_module
from pants_docker_buildkit.solver.deadline import Deadline
from pants_docker_buildkit.testing.processes import SOON


def started(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)


def test_a_program_that_runs_too_long_is_asked_to_end() -> None:
    with started("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Deadline(process, 0.05) as deadline:
            assert process.wait(SOON) == 7
    assert deadline.has_passed


def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline_module, "_SECONDS_TO_END", 0.05)
    with started("trap '' TERM; echo; while :; do sleep 0.01; done") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with Deadline(process, 0.05) as deadline:
            assert process.wait(SOON) == -9
    assert deadline.has_passed


@pytest.mark.parametrize("seconds", [None, 600.0, 1e30])
def test_a_program_that_ends_in_time_is_left_alone(seconds: float | None) -> None:
    with started("exit 3") as process, Deadline(process, seconds) as deadline:
        assert process.wait(SOON) == 3
    assert not deadline.has_passed
