from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pants_docker_buildkit.solver import remote_builder
from pants_docker_buildkit.solver.remote_builder import await_remote_builder, last_error
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

UP = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nStatus: running\n"
DOWN = UP.replace("running", "inactive")


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


def test_a_builder_that_answers_is_not_asked_why_not(docker: FakeDocker) -> None:
    answer = await_remote_builder(docker.answer("buildx inspect", UP).cli(), "far", 20.0)
    assert (answer.inspection, answer.problem) == (UP, None)
    assert docker.calls == ["buildx inspect far"]


def test_a_builder_that_does_not_answer_is_given_up_in_time_with_the_last_reason(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is asked takes no time here, however long a busy machine needs for it.
    times = [100.0]
    clock = SimpleNamespace(
        monotonic=lambda: times[-1], sleep=lambda seconds: times.append(times[-1] + seconds)
    )
    monkeypatch.setattr(remote_builder, "time", clock)
    reason = "ERROR: failed to call diskusage: refused\n"
    docker.answer("buildx inspect", DOWN).answer("buildx du", stderr=reason)
    answer = await_remote_builder(docker.cli(), "far", 1.0)
    assert (answer.problem, answer.waited) == ("refused", True)
    assert sum(call.startswith("buildx inspect") for call in docker.calls) == 2


@pytest.mark.parametrize(
    "reason",
    [
        'desc = "error reading server preface: remote error: tls: certificate required"',
        'desc = "tls: failed to verify certificate: x509: certificate signed by unknown authority"',
        'desc = "error loading tls config: could not read ca certificate: open /ca: no such file"',
    ],
)
def test_a_certificate_does_not_get_better_by_waiting(docker: FakeDocker, reason: str) -> None:
    docker.answer("buildx inspect", DOWN).answer("buildx du", stderr=f"ERROR: {reason}\n")
    answer = await_remote_builder(docker.cli(), "far", 60.0)
    assert (answer.problem, answer.waited) == (reason, False)


def test_a_builder_without_a_reason_is_not_running(docker: FakeDocker) -> None:
    docker.answer("buildx inspect", DOWN).answer("buildx du")
    assert await_remote_builder(docker.cli(), "far", 0.0).problem == "it is not running"


def test_the_last_error_is_what_buildx_ends_with() -> None:
    assert last_error("#1 working\nERROR: one\nERROR: two\n\n") == "two"
    assert last_error("no such command\n") == "no such command"
    assert last_error("\n") == ""
    assert last_error("ERROR: no proxy at http://me:s3cret@proxy:1\n") == (
        "no proxy at http://***@proxy:1"
    )
