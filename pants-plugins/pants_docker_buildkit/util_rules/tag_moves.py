"""Move tags when the goal says so: all at once, and only after every image was packaged.

The goal packages all targets, asks for a process for each tag, and runs these one after the other.
So rules only plan: the first of the processes starts all moves, in threads of Pants, and each waits
for the outcome of its own tag. Where one image cannot be built, no tag of any other has moved.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pants.engine.addresses import Address
from pants.engine.process import InteractiveProcess

from pants_docker_buildkit.errors import TagConflictError
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.image_content import ImageContent
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove, move_tags
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.session.directory import PROCESS_PATH, write_private
from pants_docker_buildkit.util_rules.file_watch import FileWatch

_OUTCOMES = "outcomes"
_PROGRESS = "progress"
_SECONDS_BETWEEN_LINES = 2.0

# A process asks for its plan by an empty file, and gets a file with an exit code and a message.
# While it waits, it shows how far all of them are: Pants shows no log lines while a process has the
# terminal. The directory goes with the session, and takes the processes along.
_OUTCOME_SCRIPT = f"""\
cd "$1" && : >>"$2" || exit 1
outcome="{_OUTCOMES}/$2.$3"
until [ -e "$outcome" ]; do
  [ -e "$2" ] || exit 1
  line= shown=
  [ ! -e {_PROGRESS} ] || read -r line <{_PROGRESS}
  [ ! -e {_PROGRESS}.shown ] || read -r shown <{_PROGRESS}.shown
  if [ "$line" != "$shown" ]; then
    printf '%s\\n' "$line" >&2
    printf '%s\\n' "$line" >{_PROGRESS}.shown
  fi
  sleep 0.02
done
{{
  read -r code
  while IFS= read -r line; do printf '%s\\n' "$line" >&2; done
}} <"$outcome"
exit "$code"
"""
_FAILURE_SCRIPT = """printf '%s\\n' "$1" >&2; exit 1"""


@dataclass(eq=False)
class MoveOutcome:
    """What is known of a tag while the goal runs.

    `is_told` becomes true when the first process has moved it, and says so.
    """

    is_told: bool = False


@dataclass(frozen=True)
class PlannedMove:
    """What moves a tag: the process of its own, and whether another one has moved and told it."""

    process: InteractiveProcess
    outcome: MoveOutcome


@dataclass(frozen=True)
class _Plan:
    """Tags of one repository, and where else the image is that they shall point to."""

    key: str
    wanted: RepositoryMoves
    others: tuple[ImageContent, ...]
    lines: Mapping[str, str]
    outcomes: Mapping[str, MoveOutcome]


@dataclass
class _Target:
    """What was planned for a target with one ticket. `digest` shall have the tags `names`."""

    address: Address
    digest: OciDigest | None = None
    names: frozenset[str] = frozenset()
    plans: list[_Plan] = field(default_factory=list)


class TagMoves:
    """The moves of one session."""

    def __init__(self, find_client: Callable[[str, str], RegistryClient], workers: Workers) -> None:
        self._find_client = find_client
        self._workers = workers
        self._watch = FileWatch("publish")
        self._targets: dict[str, _Target] = {}
        self._last_tickets: dict[Address, str] = {}
        self._begun: dict[str, Future[None]] = {}
        self._first: _Plan | None = None
        self._held: dict[TagMove, str | None] = {}
        self._moved: list[tuple[str, MoveOutcome]] = []
        self._outcomes = 0
        self._lock = threading.Lock()

    def begin_plan(self, address: Address) -> str:
        """Say that a target is going to be planned. Gives a ticket, which no other session has.

        What was planned with another ticket will not happen: Pants runs a rule again when a file
        changes meanwhile, and then the image may be another one. The rule that ran before may end
        later than the one that runs again.
        """
        ticket = uuid.uuid4().hex
        with self._lock:
            self._targets[ticket] = _Target(address)
            self._last_tickets[address] = ticket
        return ticket

    def has_begun(self, ticket: str) -> bool:
        """Whether a ticket is of this session."""
        with self._lock:
            return ticket in self._targets

    def claim(self, ticket: str, digest: OciDigest, names: Iterable[str]) -> None:
        """Say which tags an image shall have, before its moves are planned."""
        with self._lock:
            target = self._targets[ticket]
            target.digest, target.names = digest, frozenset(names)

    def plan(
        self,
        ticket: str,
        wanted: RepositoryMoves,
        others: Sequence[ImageContent],
        session: Path,
        lines: Mapping[str, str],
    ) -> tuple[PlannedMove, ...]:
        """A process for each tag. The first that is run starts the moves of all targets.

        It also waits for all, and tells the tags of `lines` that moved with their lines.
        """
        outcomes = {move.tag: MoveOutcome() for move in wanted.moves}
        plan = _Plan(uuid.uuid4().hex, wanted, tuple(others), lines, outcomes)
        directory = self._watch.call_when(plan.key, session, partial(self._begin_all, plan))
        (directory / _OUTCOMES).mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            self._targets[ticket].plans.append(plan)
        return tuple(
            PlannedMove(_process(_OUTCOME_SCRIPT, str(directory), plan.key, tag), outcomes[tag])
            for tag in outcomes
        )

    def _begin_all(self, asked_for: _Plan, request: Path) -> None:
        with self._lock:
            is_first = not self._begun
            if is_first:
                self._first = asked_for
            targets = [self._targets[ticket] for ticket in self._last_tickets.values()]
            plans = [plan for target in targets for plan in target.plans]
            claims = _claims(targets)
            for plan in (asked_for, *plans):
                if plan.key not in self._begun:
                    work = partial(self._move, plan, _conflicts(plan, claims), request.parent)
                    self._begun[plan.key] = self._workers.submit(work)
            futures = list(self._begun.values())
        if is_first:
            total = sum(len(each.wanted.moves) for each in plans)
            arguments = (asked_for, futures, total, request.parent)
            threading.Thread(target=self._tell_all, args=arguments, daemon=True).start()

    def _tell_all(
        self, first: _Plan, futures: Sequence[Future[None]], total: int, directory: Path
    ) -> None:
        """Say every other second how far the moves are, and in the end which tags moved."""
        while wait(futures, timeout=_SECONDS_BETWEEN_LINES).not_done:
            line = f"{self._outcomes} of {total} tags are done.\n"
            with suppress(OSError):
                write_private(directory / _PROGRESS, line.encode())
        told = "".join(f"{line}\n" for line, _ in self._moved)
        for _, outcome in self._moved:
            outcome.is_told = True
        for move, problem in self._held.items():
            self._write(first, move, directory, problem, told)
            # One of the processes that the goal comes to before any other's.
            told = ""

    def _move(self, plan: _Plan, conflicts: Mapping[TagMove, str], directory: Path) -> None:
        left = [move for move in plan.wanted.moves if move not in conflicts]
        for move, problem in conflicts.items():
            self._tell(plan, move, directory, problem)
        finding = "the session ended"
        try:
            client = self._find_client(plan.wanted.registry, plan.wanted.repository)
            outcomes = move_tags(client, replace(plan.wanted, moves=tuple(left)), plan.others)
            # Whoever interrupts a session wants no more tags to move.
            while left and directory.exists():
                move, error = next(outcomes)
                self._tell(plan, move, directory, None if error is None else str(error))
                left.remove(move)
        except Exception as e:
            finding = f"{type(e).__name__}: {e}"
        for move in left:
            name = plan.wanted.name(move)
            text = f"Could not move {name} to {plan.wanted.digest} ({finding})."
            self._tell(plan, move, directory, text)

    def _tell(self, plan: _Plan, move: TagMove, directory: Path, problem: str | None) -> None:
        with self._lock:
            self._outcomes += 1
            if plan is self._first:
                self._held[move] = problem
                return
            if problem is None and move.tag in plan.lines:
                self._moved.append((plan.lines[move.tag], plan.outcomes[move.tag]))
        self._write(plan, move, directory, problem)

    def _write(
        self, plan: _Plan, move: TagMove, directory: Path, problem: str | None, told: str = ""
    ) -> None:
        content = f"0\n{told}" if problem is None else f"1\n{told}{problem}\n"
        # Without its directory, the session is over, and nobody waits for the outcome.
        with suppress(OSError):
            write_private(directory / _OUTCOMES / f"{plan.key}.{move.tag}", content.encode())


def _claims(targets: Iterable[_Target]) -> Mapping[str, Sequence[_Target]]:
    """Which targets want each tag."""
    claims: defaultdict[str, list[_Target]] = defaultdict(list)
    for target in targets:
        for name in target.names:
            claims[name].append(target)
    return claims


def _conflicts(plan: _Plan, claims: Mapping[str, Sequence[_Target]]) -> dict[TagMove, str]:
    """Which of the tags other targets want for another image, and what to say of it."""
    found = {}
    for move in plan.wanted.moves:
        name = plan.wanted.name(move)
        wanted_by = claims.get(name, ())
        if len({each.digest for each in wanted_by}) > 1:
            found[move] = str(TagConflictError(name, (each.address for each in wanted_by)))
    return found


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
