"""Which builder of several builds an image? The same one each time, while it answers and has room.

Rendezvous hashing: each image has an order of its own of all endpoints, and takes the first that
can have it. So an endpoint that comes or goes moves its own images only, and the caches of the
others stay with theirs. What is chosen is in no key.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.acquired_builder import acquire_builder
from pants_docker_buildkit.solver.build_slots import SLOTS_DIRECTORY, take_slot
from pants_docker_buildkit.solver.builder_choice import choose_builder
from pants_docker_buildkit.solver.described_builder import ChosenBuilder, choose_described_builder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    BuilderLostError,
    BuilderNotReadyError,
    OtherBuildPlatformError,
    PoolNotReadyError,
    SolverError,
)
from pants_docker_buildkit.solver.progress import tell, warn_once

_LOST_SECONDS = 60.0
"""For so long an endpoint that was lost comes last."""

_ASK_AGAIN_SECONDS = 0.2

Check = Callable[[ChosenBuilder], None]


@contextmanager
def reserve_builder(
    docker: DockerCli,
    settings: BuildSettings,
    platforms: Iterable[str],
    session: Path,
    check: Check,
) -> Iterator[ChosenBuilder]:
    """A builder that answers and has room for a build for these platforms, until the block ends.

    It is the same for whoever asks for the same target and platforms. Raises a `SolverError` where
    none answers. If all that do are full, it waits. A builder for which `check` raises
    `OtherBuildPlatformError` does not count; where that is all of them, it is raised.
    """
    image = _image(settings, platforms)
    description = settings.described_builder
    if description is None:
        candidates = [_own_builder(docker, settings.builder, session)]
    elif description.acquire:
        with acquire_builder(description, image, docker.environment, session) as member:
            chosen = choose_described_builder(docker, member, session)
            check(chosen)
            yield chosen
        return
    else:
        members = rank_members(description, image)
        candidates = [_member(docker, each, session) for each in members]
    most = settings.max_builds
    if description is not None and description.max_builds is not None:
        most = description.max_builds
    told = f"{settings.target} waits for room on its builder ({most} builds are running there)…"
    with _first_free(candidates, most, session, check, told) as chosen:
        yield chosen


def home_endpoint(settings: BuildSettings, platforms: Iterable[str]) -> str | None:
    """The endpoint of a pool that an image is built on as long as it answers and has room.

    `None` for a builder that is no pool.
    """
    description = settings.described_builder
    if description is None or not description.pool:
        return None
    return rank_members(description, _image(settings, platforms))[0].nodes[0].endpoint


def _image(settings: BuildSettings, platforms: Iterable[str]) -> str:
    """What a builder is chosen for. The order of its platforms means nothing."""
    return f"{settings.target} {','.join(sorted(platforms))}"


def rank_members(description: BuilderDescription, image: str) -> Sequence[BuilderDescription]:
    """The builders of a pool, each of one endpoint, in the order of an image: best first.

    A description that is no pool is its only member.
    """
    if not description.pool:
        return (description,)

    def weight(node: NodeDescription) -> str:
        return hashlib.sha256(f"{node.endpoint}\0{image}".encode()).hexdigest()

    nodes = sorted(description.pool, key=weight, reverse=True)
    return tuple(replace(description, nodes=(node,), pool=()) for node in nodes)


@dataclass(frozen=True)
class _Candidate:
    """A builder that can be chosen. `identity` is what all who use it know it by.

    `place` is what the user calls it.
    """

    identity: str
    place: str
    choose: Callable[[], ChosenBuilder]


def _own_builder(docker: DockerCli, name: str | None, session: Path) -> _Candidate:
    """A builder that no description has: one of the user's own, or the engine."""
    place = docker.environment.get("DOCKER_HOST", "")
    return _Candidate(
        f"{name or ''}\0{place}",
        name or place,
        lambda: ChosenBuilder(docker, choose_builder(docker, name, session), name),
    )


def _member(docker: DockerCli, member: BuilderDescription, session: Path) -> _Candidate:
    endpoints = [node.endpoint or member.name for node in member.nodes]
    return _Candidate(
        json.dumps([member.driver, endpoints]),
        ", ".join(endpoints),
        lambda: choose_described_builder(docker, member, session),
    )


@contextmanager
def _first_free(
    candidates: Sequence[_Candidate],
    most: int | None,
    session: Path,
    check: Check,
    told: str,
) -> Iterator[ChosenBuilder]:
    """The first of the candidates that is not full, answers and suits.

    Waits while there is a full one, and none that has room answers and suits.
    """
    slots = session.resolve().parent / SLOTS_DIRECTORY
    has_told = False
    lost: dict[str, BuilderNotReadyError] = {}
    refusals: dict[str, OtherBuildPlatformError] = {}
    while True:
        is_any_full = False
        for candidate in sorted(candidates, key=lambda each: _mark(session, each).is_set):
            mark = _mark(session, candidate)
            is_lost = candidate.identity in lost and mark.is_set
            if is_lost or candidate.identity in refusals:
                continue
            slot = take_slot(slots, candidate.identity, most)
            if slot is None:
                is_any_full = True
                continue
            with slot:
                try:
                    chosen = candidate.choose()
                    check(chosen)
                except BuilderNotReadyError as e:
                    mark.set()
                    lost[candidate.identity] = e
                    continue
                except OtherBuildPlatformError as e:
                    refusals[candidate.identity] = e
                    continue
                mark.clear()
                _warn_of_lost(candidates, lost, session)
                try:
                    yield chosen
                except BuilderLostError:
                    mark.set()
                    raise
                return
        if not is_any_full:
            raise _why_none(candidates, lost, refusals)
        if not has_told:
            tell(session, told)
            has_told = True
        time.sleep(_ASK_AGAIN_SECONDS)


def _warn_of_lost(
    candidates: Sequence[_Candidate], lost: Mapping[str, BuilderNotReadyError], session: Path
) -> None:
    """Say which endpoints do not build, and why. Others do, so nothing else would."""
    for each in candidates:
        problem = lost.get(each.identity)
        if problem is not None:
            told = (
                f"{each.place}, an endpoint of '[docker-buildkit.builders.{problem.name}]',"
                f" {problem.finding} Until then, other endpoints build its images."
            )
            advised = f"{told} {problem.next_step}".rstrip()
            warn_once(session, f"endpoint {each.identity}", advised)


def _why_none(
    candidates: Sequence[_Candidate],
    lost: Mapping[str, BuilderNotReadyError],
    refusals: Mapping[str, OtherBuildPlatformError],
) -> SolverError:
    """Why none of the candidates builds: of several, what each of them says."""
    if not lost or len(candidates) == 1:
        return next(iter((*lost.values(), *refusals.values())))
    places = {each.identity: each.place for each in candidates}
    return PoolNotReadyError(
        {places[each]: problem for each, problem in lost.items()},
        {places[each]: problem for each, problem in refusals.items()},
    )


def _mark(session: Path, candidate: _Candidate) -> _LostMark:
    name = hashlib.sha256(candidate.identity.encode()).hexdigest()[:16]
    return _LostMark(session / f"lost-{name}")


class _LostMark:
    """That an endpoint was lost in this session, not long ago."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def is_set(self) -> bool:
        """Whether it was."""
        try:
            return 0 <= time.time() - self._file.stat().st_mtime < _LOST_SECONDS
        except OSError:
            return False

    def set(self) -> None:
        """It is lost now."""
        self._file.touch()

    def clear(self) -> None:
        """It answers."""
        self._file.unlink(missing_ok=True)
