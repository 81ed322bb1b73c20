"""Move tags when the goal says so: all at once, and only after every image was packaged.

The goal packages all targets, asks a rule for the processes of each, and runs these one after the
other. So rules only plan. The first target that plans anything leads: it has the only process,
which asks the session to move the tags of all targets. Where one image cannot be built, the goal
runs no process, and no tag of any other image has moved.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Optional

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.listing import list_few
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import PartsLostError
from pants_docker_buildkit.registry.image_content import ImageContent
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, move_tags, prepare_image

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 2.0
_FEW = 5

IsLast = Callable[[], bool]
"""Whether the image that was planned for is the one that its target has, as the goal knows it."""

SignImage = Callable[[RegistryClient, str, Descriptor, bytes], object]
"""Signs an image that a repository has: what it is, and its manifest."""


@dataclass(frozen=True)
class PlannedTag:
    """A tag that is to move. `description` says where to, and where it was.

    `problem` is why it cannot, where that is known before it is tried.
    """

    name: str
    description: str
    problem: str | None = None

    @classmethod
    def of_signature(cls, name: str, problem: str | None = None) -> PlannedTag:
        """The signature of an image, by its pinned reference, which is made as tags are moved."""
        return cls(name, "", problem)


@dataclass(frozen=True)
class MovedTag:
    """What became of a tag. `problem` is why it did not move.

    A signature has no `description`.
    """

    name: str
    description: str
    problem: Optional[str]

    @property
    def line(self) -> str:
        """As the goal says it of what it runs itself."""
        return f"{'✓' if self.problem is None else '✕'} {self.name} {self.status}."

    @property
    def status(self) -> str:
        """What became of it, after its name."""
        if not self.description:
            return "signed" if self.problem is None else "not signed"
        way = "published to" if self.problem is None else "failed for"
        return f"{way} {self.description}"


@dataclass(frozen=True)
class MoveReport:
    """How far the moves are. `tags` is what became of all of them, once they are done."""

    done: int
    total: int
    tags: Optional[tuple[MovedTag, ...]] = None

    @property
    def line(self) -> str:
        """For the user, while they go on."""
        return f"{self.done} of {self.total} tags are done."


class _UnsignedError(Exception):
    """An image could not be signed, so its tags do not move."""


@dataclass(frozen=True)
class _Moves:
    """What is to be done for an image in one repository. A `sign`, if any, comes first."""

    wanted: RepositoryMoves
    sources: tuple[ImageContent, ...]
    sign: SignImage | None


@dataclass
class _Target:
    """What was planned for a target with one ticket.

    `digest` is to have the tags `names`. It is there once all is planned.
    """

    address: str
    is_last: IsLast
    digest: OciDigest | None = None
    names: frozenset[str] = frozenset()
    tags: dict[str, PlannedTag] = field(default_factory=dict)
    moves: list[_Moves] = field(default_factory=list)


class TagPlans:
    """The moves of one session. Whoever asks with another `key` means those of another one."""

    def __init__(
        self,
        find_client: Callable[[str, str], RegistryClient],
        known: KnownManifests | None = None,
        forget_layers: Callable[[], None] = lambda: None,
    ) -> None:
        """`forget_layers` is called where a registry lost parts of an image that has a tag."""
        self.key = uuid.uuid4().hex
        self._known = known or KnownManifests()
        self._forget_layers = forget_layers
        self._workers = RegistryWorkers("registry-publication", find_client)
        self._targets: dict[str, _Target] = {}
        self._current: dict[str, str] = {}
        self._leader: str | None = None
        self._tags: dict[str, PlannedTag] | None = None
        self._moved: dict[str, MovedTag] = {}
        self._is_done = threading.Event()
        self._is_closed = threading.Event()
        self._lock = threading.Lock()

    def begin(self, address: str, is_last: IsLast = lambda: True) -> str:
        """Say that a target is going to be planned. Gives a ticket, which no other session has.

        Of several plans for a target, one happens: of those that are complete, and for the image
        that the target has when tags move, the one that began last. Pants runs a rule again when a
        file changes meanwhile, and asks again what it asked in an earlier session; each may end, or
        begin, later than the one that counts.
        """
        ticket = uuid.uuid4().hex
        with self._lock:
            self._targets[ticket] = _Target(address, is_last)
        return ticket

    def has_begun(self, ticket: str) -> bool:
        """Whether a ticket is of this session."""
        with self._lock:
            return ticket in self._targets

    def claim(self, ticket: str, digest: OciDigest, names: Iterable[str]) -> None:
        """Say which tags an image is to have, whether they have to move or not.

        This completes a plan.
        """
        with self._lock:
            target = self._targets[ticket]
            target.digest, target.names = digest, frozenset(names)

    def plan(
        self,
        ticket: str,
        tags: Iterable[PlannedTag],
        wanted: RepositoryMoves,
        sources: Sequence[ImageContent],
        sign: SignImage | None = None,
    ) -> None:
        """Plan tags of one repository. `wanted` are the moves of those that have no problem.

        `sources` are where the image can be copied from if the repository does not have it. Where
        there is a `sign`, the signature is one of `tags`.
        """
        with self._lock:
            target = self._targets[ticket]
            target.tags.update((each.name, each) for each in tags)
            target.moves.append(_Moves(wanted, tuple(sources), sign))

    def leads(self, ticket: str) -> bool:
        """Whether this target has the process for all. It has to say so again when asked again."""
        with self._lock:
            target = self._targets[ticket]
            if self._leader is None and target.tags:
                self._leader = target.address
            return self._leader == target.address

    def move(self) -> MoveReport:
        """Move all tags, unless that was begun already, and wait for them for a moment."""
        is_done = self._await_moves()
        with self._lock:
            if not is_done:
                return self._progress()
            tags = self._tags or {}
            moved = tuple(
                self._moved.get(name) or self._unmoved(tags[name]) for name in sorted(tags)
            )
            return MoveReport(len(tags), len(tags), moved)

    def outcome(self, ticket: str, tag: PlannedTag) -> MovedTag:
        """What became of a tag. Moves all, if nobody has asked for that yet, and waits for them.

        Of several plans for the same image, it does not matter which one happened.
        """
        # It is asked for each of a thousand tags, so it looks at no other.
        while not self._await_moves():
            with self._lock:
                line = self._progress().line
            logger.info(line)
        with self._lock:
            target = self._targets[ticket]
            current = self._current.get(target.address)
            is_current = current is not None and self._targets[current].digest == target.digest
            known = self._moved.get(tag.name)
        if known is None or not is_current:
            return self._unmoved(tag)
        return known

    def close(self) -> None:
        """Move no more tags: the session is over."""
        self._is_closed.set()
        self._is_done.set()
        self._workers.close()

    def _await_moves(self) -> bool:
        """Have all tags move, and say after a moment at most whether all that will have moved."""
        self._begin()
        return self._is_done.wait(_SECONDS_BETWEEN_LINES)

    def _progress(self) -> MoveReport:
        return MoveReport(len(self._moved), len(self._tags or {}))

    def _unmoved(self, tag: PlannedTag) -> MovedTag:
        return MovedTag(
            tag.name, tag.description, f"Could not move {tag.name} (the session ended)."
        )

    def _begin(self) -> None:
        with self._lock:
            if self._tags is not None or self._is_closed.is_set():
                return
            self._current = {
                target.address: ticket
                for ticket, target in self._targets.items()
                if target.digest is not None and target.is_last()
            }
            targets = [self._targets[ticket] for ticket in self._current.values()]
            self._tags = {name: tag for target in targets for name, tag in target.tags.items()}
            problems = _problems(targets)
            work = _merge((each for target in targets for each in target.moves), problems.keys())
        for name, problem in problems.items():
            self._finish(name, problem)
        for each in work:
            wanted = each.wanted
            move = partial(self._move, each)
            self._workers.submit(wanted.registry, wanted.repository, move)
        if not self._tags:
            self._is_done.set()

    def _move(self, planned: _Moves, client: RegistryClient) -> None:
        wanted, sources = planned.wanted, planned.sources
        left = list(wanted.moves)
        finding = "the session ended"
        try:
            if planned.sign is not None:
                self._sign(client, wanted, sources, planned.sign)
                wanted = replace(wanted, has_image=True)
            outcomes = move_tags(client, wanted, sources, self._known)
            # Whoever interrupts a session wants no more tags to move.
            while left and not self._is_closed.is_set():
                move, error = next(outcomes)
                if isinstance(error, PartsLostError):
                    self._forget_layers()
                self._finish(wanted.name(move), None if error is None else str(error))
                left.remove(move)
        except _UnsignedError as e:
            finding = str(e)
        except Exception as e:
            finding = f"{type(e).__name__}: {e}"
        for move in left:
            name = wanted.name(move)
            self._finish(name, f"Could not move {name} to {wanted.digest} ({finding}).")

    def _sign(
        self,
        client: RegistryClient,
        wanted: RepositoryMoves,
        sources: Sequence[ImageContent],
        sign: SignImage,
    ) -> None:
        """Sign an image, once its repository has it, and before its tags lead people to it."""
        problem: str | None = "The session ended."
        try:
            if not self._is_closed.is_set():
                image = prepare_image(client, wanted, sources, self._known)
                sign(client, wanted.repository, *image)
                problem = None
        except Exception as e:
            problem = str(e)
        finally:
            said = None if problem is None else f"Could not sign {wanted.image_name}. {problem}"
            self._finish(wanted.image_name, said)
        if problem is not None:
            raise _UnsignedError("the image could not be signed")

    def _finish(self, name: str, problem: str | None) -> None:
        with self._lock:
            assert self._tags is not None
            self._moved[name] = MovedTag(name, self._tags[name].description, problem)
            is_done = len(self._moved) == len(self._tags)
        if is_done:
            self._is_done.set()


def _merge(planned: Iterable[_Moves], problems: Collection[str]) -> list[_Moves]:
    """What is to be done for each image in each repository, without what has a problem.

    Several targets may have one image there. It is signed before a tag of any of them leads to it.
    """
    taken = set(problems)
    work: dict[str, _Moves] = {}
    for each in planned:
        wanted, name = each.wanted, each.wanted.image_name
        moves = [move for move in wanted.moves if wanted.name(move) not in taken]
        taken.update(map(wanted.name, moves))
        before = work.get(name, _Moves(replace(wanted, moves=()), (), None))
        work[name] = _Moves(
            replace(
                wanted,
                moves=(*before.wanted.moves, *moves),
                has_image=before.wanted.has_image or wanted.has_image,
            ),
            (*before.sources, *each.sources),
            before.sign or (None if name in problems else each.sign),
        )
    return [each for each in work.values() if each.wanted.moves or each.sign is not None]


def _problems(targets: Sequence[_Target]) -> Mapping[str, str]:
    """Why some of the tags are not to be moved: their own problem, or that two images have them."""
    wanted_by: defaultdict[str, list[_Target]] = defaultdict(list)
    for target in targets:
        for name in target.names:
            wanted_by[name].append(target)
    problems = {}
    for target in targets:
        for name, tag in target.tags.items():
            if len({each.digest for each in wanted_by[name]}) > 1:
                problems[name] = describe_conflict(name, (each.address for each in wanted_by[name]))
            elif tag.problem is not None:
                problems[name] = tag.problem
    return problems


def describe_conflict(name: str, addresses: Iterable[str]) -> str:
    """What to say of a tag that several targets have for different images."""
    # The same is said of each of them.
    names = list_few(sorted(addresses), _FEW)
    return (
        f"The tag {name} must stand for one image, but these targets are different ones and"
        f" have it: {names}. It stays where it is. Give them repositories"
        " or tags of their own."
    )
