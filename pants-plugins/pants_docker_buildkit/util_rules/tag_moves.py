"""Move tags when the goal says so: all at once, and only after every image was packaged.

The goal packages all targets, asks for a process for each tag, and runs these one after the other.
So rules only plan: the first of the processes starts all moves, in threads of Pants, and each waits
for the outcome of its own tag. Where one image cannot be built, no tag of any other has moved.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pants.engine.process import InteractiveProcess

from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.image_content import ImageContent
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove, move_tags
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.solver.profile import PROGRESS_FILE
from pants_docker_buildkit.util_rules.file_watch import FileWatch
from pants_docker_buildkit.util_rules.session import PROCESS_PATH, write_private

_START = "start"
_OUTCOMES = "outcomes"
_SECONDS_BETWEEN_LINES = 2.0

# An outcome is a file: a line with the exit code, and a message. The directory goes with the
# session, and takes the processes along.
_OUTCOME_SCRIPT = f"""\
cd "$1" && : >>{_START} || exit 1
until [ -e "{_OUTCOMES}/$2" ]; do
  [ -e {_START} ] || exit 1
  sleep 0.02
done
{{
  read -r code
  while IFS= read -r line; do printf '%s\\n' "$line" >&2; done
}} <"{_OUTCOMES}/$2"
exit "$code"
"""
_FAILURE_SCRIPT = """printf '%s\\n' "$1" >&2; exit 1"""


@dataclass(frozen=True)
class _Plan:
    """Tags of one repository, and where else the image is that they shall point to."""

    wanted: RepositoryMoves
    others: tuple[ImageContent, ...]


class TagMoves:
    """The moves of one session."""

    def __init__(self, find_client: Callable[[str], RegistryClient], workers: Workers) -> None:
        self._find_client = find_client
        self._workers = workers
        self._watch = FileWatch("publish")
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()
        self._outcomes = 0

    def plan(
        self, wanted: RepositoryMoves, others: Sequence[ImageContent], session: Path
    ) -> tuple[InteractiveProcess, ...]:
        """A process for each tag, the first of which starts all moves that were planned."""
        with self._lock:
            directory = self._watch.call_when(_START, session, self._run)
            (directory / _OUTCOMES).mkdir(mode=0o700, exist_ok=True)
            self._plans.append(_Plan(wanted, tuple(others)))
        return tuple(
            _process(_OUTCOME_SCRIPT, str(directory), _outcome_file(wanted, move))
            for move in wanted.moves
        )

    def _run(self, start: Path) -> None:
        """Make all moves, and say every other second how far they are."""
        directory = start.parent
        with self._lock:
            plans, self._plans = self._plans, []
        total = sum(len(each.wanted.moves) for each in plans)
        futures = [self._workers.submit(partial(self._move, each, directory)) for each in plans]
        while wait(futures, timeout=_SECONDS_BETWEEN_LINES).not_done:
            with suppress(OSError), open(directory.parent / PROGRESS_FILE, "a") as file:
                file.write(f"Published {self._outcomes} of {total} tags.\n")

    def _move(self, plan: _Plan, directory: Path) -> None:
        wanted = plan.wanted
        left = dict.fromkeys(wanted.moves)
        message = "the session ended"
        try:
            client = self._find_client(wanted.registry)
            outcomes = move_tags(client, wanted, plan.others)
            # Whoever interrupts a session wants no more tags to move.
            while left and directory.exists():
                move, problem = next(outcomes)
                left.pop(move)
                self._tell(directory, wanted, move, str(problem) if problem else None)
        except Exception as e:
            message = f"{type(e).__name__}: {e}"
        for move in left:
            text = f"Could not move {wanted.name(move)} to {wanted.digest} ({message})."
            self._tell(directory, wanted, move, text)

    def _tell(
        self, directory: Path, wanted: RepositoryMoves, move: TagMove, problem: str | None
    ) -> None:
        content = f"1\n{problem}\n" if problem else "0\n"
        with self._lock:
            self._outcomes += 1
        # Without its directory, the session is over, and nobody waits for the outcome.
        with suppress(OSError):
            write_private(directory / _OUTCOMES / _outcome_file(wanted, move), content.encode())


def failing_process(problem: str) -> InteractiveProcess:
    """A process that tells a problem that is known already."""
    return _process(_FAILURE_SCRIPT, problem)


def _process(script: str, *arguments: str) -> InteractiveProcess:
    return InteractiveProcess(
        ("/bin/sh", "-c", script, "publish", *arguments),
        env={"PATH": PROCESS_PATH},
        # It needs no sandbox.
        run_in_workspace=True,
    )


def _outcome_file(wanted: RepositoryMoves, move: TagMove) -> str:
    text = f"{wanted.name(move)}@{wanted.digest}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
