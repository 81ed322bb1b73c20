from __future__ import annotations

import json
from pathlib import Path

from pants_docker_buildkit.buildx.solve_status import SolveStatus
from pants_docker_buildkit.reports.timeline import read_builds
from pants_docker_buildkit.session.directory import TIMELINES_DIRECTORY
from pants_docker_buildkit.solver.timeline import Timeline


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
    (build,) = read_builds(tmp_path / TIMELINES_DIRECTORY, {})
    assert build.target == "app:image"
    (step,) = build.steps
    assert (step.name, step.seconds, step.is_cached) == ("ADD https://***@h/a /", 2.5, True)


def test_a_timeline_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / TIMELINES_DIRECTORY).write_text("a file where the directory should be")
    Timeline(tmp_path, "app:image", "name").end(SolveStatus(), has_failed=True)
