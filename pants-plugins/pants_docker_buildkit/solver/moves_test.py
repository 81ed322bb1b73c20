from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.session.directory import EXIT_NO_SESSION
from pants_docker_buildkit.session.tag_plans import MovedTag, MoveReport
from pants_docker_buildkit.session.unix_socket import SessionServer
from pants_docker_buildkit.solver.errors import EXIT_FAILED, EXIT_INTERRUPTED
from pants_docker_buildkit.solver.main import MOVE_COMMAND, main

KEY = "key"
MOVED = MovedTag("r/app:1", "sha256:a (new tag)", None)
REFUSED = MovedTag("r/app:2", "sha256:a (was at sha256:b)", "The registry refused it.")


def serve(directory: Path, *reports: MoveReport) -> str:
    """A session that gives these reports, and the last one for ever."""
    left = list(reports)

    def answer(question: Sequence[str]) -> Any:
        if question[1] != KEY:
            raise LookupError(question[1])
        return asdict(left.pop(0) if len(left) > 1 else left[0])

    SessionServer(directory, answer).start()
    return str(directory)


def test_each_tag_has_a_line_and_how_far_it_is_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halfway = MoveReport(1, 2)
    session = serve(tmp_path, halfway, halfway, MoveReport(2, 2, (MOVED,)))
    assert main(session, MOVE_COMMAND, KEY) == 0
    assert capsys.readouterr().err.splitlines() == [
        "1 of 2 tags are done.",
        "✓ r/app:1 published to sha256:a (new tag).",
    ]


def test_a_tag_that_did_not_move_is_a_failure_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = serve(tmp_path, MoveReport(2, 2, (MOVED, REFUSED)))
    assert main(session, MOVE_COMMAND, KEY) == EXIT_FAILED
    assert capsys.readouterr().err.splitlines() == [
        "The registry refused it.",
        "✓ r/app:1 published to sha256:a (new tag).",
        "✕ r/app:2 failed for sha256:a (was at sha256:b).",
    ]


def test_another_session_does_not_answer(tmp_path: Path) -> None:
    session = serve(tmp_path, MoveReport(0, 0, ()))
    assert main(session, MOVE_COMMAND, "another") == EXIT_NO_SESSION


def test_who_interrupts_it_reads_no_traceback(tmp_path: Path) -> None:
    session = serve(tmp_path, MoveReport(1, 2))
    program = (
        "import sys; from pants_docker_buildkit.solver.main import main;"
        " sys.exit(main(*sys.argv[1:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, session, MOVE_COMMAND, KEY],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "1 of 2 tags are done.\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == EXIT_INTERRUPTED
