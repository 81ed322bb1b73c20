"""Have the session move the tags that were planned, and say what became of each."""

from __future__ import annotations

import sys

from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.errors import EXIT_FAILED


def move_tags(session: SessionClient, key: str) -> int:
    """Wait for the moves of this key, and say how far they are. Gives the exit code."""
    shown = ""
    while (report := session.move_tags(key)).tags is None:
        if report.line != shown:
            _say(report.line)
        shown = report.line
    failed = [each for each in report.tags if each.problem is not None]
    for each in failed:
        _say(each.problem or "")
    for each in report.tags:
        _say(each.line)
    return EXIT_FAILED if failed else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
