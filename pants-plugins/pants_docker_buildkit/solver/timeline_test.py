from __future__ import annotations

import json
from pathlib import Path

from pants_docker_buildkit.buildx.solve_status import SolveStatus
from pants_docker_buildkit.reports.timeline import read_builds
from pants_docker_buildkit.session.directory import TIMELINES_DIRECTORY
from pants_docker_buildkit.solver.timeline import Timeline, write_sizes


def test_a_timeline_has_the_steps_that_ran_and_no_password(tmp_path: Path) -> None:
    status = SolveStatus()
    vertexes = [
        {
            "digest": "1",
            "name": "ADD https://me:hunter2@h/a /",
            "started": "2026-11-26T05:00:00Z",
            "completed": "2026-11-26T05:00:02.5Z",
            "cached": True,
        },
        {"digest": "2", "name": "never started"},
    ]
    list(status.read(json.dumps({"vertexes": vertexes})))
    Timeline(tmp_path, "app:image", "name").end(status, has_failed=False)
    (build,) = read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {})
    assert build.target == "app:image"
    assert build.sizes == ()
    write_sizes(tmp_path, "name", [("linux/amd64", [3, 4])])
    (build,) = read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {})
    assert build.size == 7
    (step,) = build.steps
    assert (step.name, step.seconds, step.is_cached) == ("ADD https://***@h/a /", 2.5, True)


def test_only_the_step_that_ended_a_build_failed(tmp_path: Path) -> None:
    status = SolveStatus()
    times = {"started": "2026-11-26T05:00:00Z", "completed": "2026-11-26T05:00:01Z"}
    vertexes = [
        {"digest": "1", "name": "importing cache", "error": "not found", **times},
        {"digest": "2", "name": "RUN false", "error": "exit code: 1", **times},
    ]
    list(status.read(json.dumps({"vertexes": vertexes})))
    list(status.read("ERROR: exit code: 1"))
    for name, has_failed in (("good", False), ("bad", True)):
        Timeline(tmp_path, name, name).end(status, has_failed=has_failed)
    builds = read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {})
    failed = {each.target: [step.name for step in each.steps if step.has_failed] for each in builds}
    assert failed == {"good": [], "bad": ["RUN false"]}


def test_what_is_known_of_a_build_that_is_canceled_is_at_most_a_second_old(tmp_path: Path) -> None:
    begin = 1_795_669_200.0  # When the step starts.
    times, status = iter([begin, *(begin + each / 2 for each in range(100))]), SolveStatus()
    timeline = Timeline(tmp_path, "app:image", "name", lambda: next(times))
    timeline.go_on(status)
    assert read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {}) == ()
    started = {"digest": "1", "name": "RUN make", "started": "2026-11-26T05:00:00Z"}
    list(status.read(json.dumps({"vertexes": [started]})))
    for _ in range(20):
        timeline.go_on(status)
    last = next(times) - begin
    (build,) = read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {})
    assert (build.was_canceled, build.has_failed) == (True, False)
    assert last - 2 < build.seconds < last
    assert build.steps[0].seconds == build.seconds
    timeline.end(status, has_failed=False)
    (build,) = read_builds(tmp_path / TIMELINES_DIRECTORY, {}, {})
    assert not build.was_canceled
    assert build.steps[0].seconds == 0.0


def test_a_timeline_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / TIMELINES_DIRECTORY).write_text("a file where the directory should be")
    Timeline(tmp_path, "app:image", "name").end(SolveStatus(), has_failed=True)
