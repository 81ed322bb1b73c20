"""Where are the tags of an image now, and what has to be done for them?

Content is uploaded here, under its digest, as `package` does it for images in registries. Tags are
only looked at: `session/tag_plans.py` moves them, once everything was packaged.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from math import inf
from typing import Optional

from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.process import FallibleProcessResult, Process
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly, uncacheable_rule
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.registry.client import Purpose
from pants_docker_buildkit.registry.confirmation import Confirmation, Missing, Present, Unknown
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.image_content import ImageContent, RepositoryContent
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove
from pants_docker_buildkit.session.directory import RUN_SCRIPT
from pants_docker_buildkit.session.running import RunningSession
from pants_docker_buildkit.session.tag_plans import PlannedTag, SignImage
from pants_docker_buildkit.signatures.errors import SignatureError
from pants_docker_buildkit.signatures.statement import Statement
from pants_docker_buildkit.solver.main import UPLOAD_COMMAND
from pants_docker_buildkit.util_rules.published_names import PublishedRepository
from pants_docker_buildkit.util_rules.session import keep_session, running_session, wait_for
from pants_docker_buildkit.util_rules.session_process import said, session_process


class TagChange(str, Enum):
    """What `publish` has to do for a tag."""

    NONE = "none"
    MOVED = "moved"
    CREATED = "created"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PublicationRequest:
    """Asks to publish an image that was packaged.

    `references` are where it is, pinned; `layout` is its tree if it is nowhere else. `ticket` is
    from `TagPlans.begin`. `platforms` are its images for each platform, `statements` what
    is signed of it besides that it is published, and `referrers` what a layout is to have beside
    it.
    """

    address: Address
    ticket: str
    digest: OciDigest
    repositories: tuple[PublishedRepository, ...]
    references: tuple[str, ...]
    layout: Digest | None
    platforms: tuple[OciDigest, ...] = ()
    statements: tuple[Statement, ...] = ()
    referrers: tuple[Referrer, ...] = ()


@dataclass(frozen=True)
class TagPublication:
    """What has to be done for one tag. `problem` is why it cannot be done."""

    repository: PublishedRepository
    tag: str
    change: TagChange
    before: OciDigest | None = None
    problem: str | None = None
    seen_at: float = field(default=-inf, compare=False)

    @property
    def name(self) -> str:
        """`registry/repository:tag`."""
        return f"{self.repository.name}:{self.tag}"

    @property
    def is_planned(self) -> bool:
        """Whether there is anything to do, or to report as a failure."""
        return self.problem is not None or self.change is not TagChange.NONE

    def planned(self, digest: OciDigest) -> PlannedTag:
        """As the session is asked for it."""
        return PlannedTag(self.name, self.describe(digest), self.problem)

    def describe(self, digest: OciDigest) -> str:
        """Where the tag goes, and where it was."""
        descriptions = {
            TagChange.NONE: f"(already at {digest})",
            TagChange.CREATED: f"{digest} (new tag)",
            TagChange.MOVED: f"{digest} (was at {self.before})",
            TagChange.UNKNOWN: f"{digest}",
        }
        return descriptions[self.change]


@dataclass(frozen=True)
class MissingSignature:
    """An image that lacks our signature in a repository. `problem` is why it cannot get one."""

    repository: PublishedRepository
    planned: PlannedTag


@dataclass(frozen=True)
class Publication:
    """What has to be done for all tags of one image, and whether its target leads all others."""

    tags: tuple[TagPublication, ...] = ()
    leads: bool = False
    signatures: tuple[MissingSignature, ...] = ()


_Name = tuple[PublishedRepository, Optional[str]]
"""A tag of a repository, or with `None` the image itself."""


def _looked_up(request: PublicationRequest) -> Mapping[_Name, ImageReference]:
    """All that has to be known of an image and the tags it gets."""
    found: dict[_Name, ImageReference] = {}
    for each in request.repositories:
        found[each, None] = each.reference.pinned(request.digest)
        found.update({(each, tag): each.reference.with_tag(tag) for tag in each.tags})
    return found


@dataclass(frozen=True)
class _Lookup:
    """What registries say of an image, and of the tags that it is to get."""

    request: PublicationRequest
    answers: Mapping[_Name, Confirmation]

    def lacking(self) -> tuple[PublishedRepository, ...]:
        """The repositories that answered that they do not have the image."""
        return tuple(
            each
            for each in self.request.repositories
            if isinstance(self.answers[each, None], Missing)
        )

    def has_image(self, repository: PublishedRepository) -> bool:
        """Whether a repository answered that it has the image."""
        return isinstance(self.answers[repository, None], Present)

    def found_tags(self) -> Iterable[tuple[ImageReference, OciDigest]]:
        """The tags that are there, and where."""
        for (repository, tag), answer in self.answers.items():
            if tag is not None and isinstance(answer, Present):
                yield repository.reference.with_tag(tag), answer.descriptor.digest

    def publications(self, repository: PublishedRepository) -> Iterable[TagPublication]:
        """What has to be done for each tag of a repository."""
        for tag in repository.tags:
            answer = self.answers[repository, tag]
            if isinstance(answer, Unknown):
                yield TagPublication(repository, tag, TagChange.UNKNOWN, problem=str(answer.error))
            elif isinstance(answer, Missing):
                yield TagPublication(repository, tag, TagChange.CREATED, seen_at=answer.at)
            else:
                before = answer.descriptor.digest
                is_there = before == self.request.digest
                change = TagChange.NONE if is_there else TagChange.MOVED
                yield TagPublication(repository, tag, change, before, seen_at=answer.at)


def _upload_process(layout: Digest, repositories: Sequence[str]) -> Process:
    return session_process(
        *(RUN_SCRIPT, UPLOAD_COMMAND, UPLOAD_COMMAND, *repositories),
        description=f"Upload {', '.join(repositories)}",
        input_digest=layout,
        level=LogLevel.INFO,
    )


def _problems(result: FallibleProcessResult, repositories: Sequence[str]) -> Mapping[str, str]:
    """Why some of the repositories did not get the image, by `registry/repository`."""
    if result.exit_code == 0:
        found: Mapping[str, str] = json.loads(result.stdout)
        return found
    why = said(result) or "its session is over"
    return {each: f"Could not upload the image to {each} ({why})." for each in repositories}


def _sources(running: RunningSession, request: PublicationRequest) -> tuple[ImageContent, ...]:
    """Where the image can be copied from if one of its repositories has lost it."""
    references = map(ImageReference.parse, request.references)
    return tuple(
        RepositoryContent(
            running.clients.client(each.registry, each.repository), each.repository, request.digest
        )
        for each in references
    )


def _plan(
    running: RunningSession,
    request: PublicationRequest,
    repository: PublishedRepository,
    tags: Sequence[TagPublication],
    signature: MissingSignature | None,
    *,
    has_image: bool,
) -> None:
    """Plan what has to be done for the tags of one repository, and for the image in it."""
    moves = tuple(
        TagMove(each.tag, each.before, each.seen_at)
        for each in tags
        if each.is_planned and each.problem is None
    )
    planned = [each.planned(request.digest) for each in tags if each.is_planned]
    sign: SignImage | None = None
    if signature is not None:
        planned.append(signature.planned)
        if signature.planned.problem is None:
            sign = partial(running.signatures.sign, more=request.statements)
    if planned:
        running.plans.plan(
            request.ticket,
            planned,
            RepositoryMoves(
                repository.registry, repository.repository, request.digest, moves, has_image
            ),
            _sources(running, request),
            sign,
        )


async def _attach(
    running: RunningSession, request: PublicationRequest, lacking: Container[str]
) -> Mapping[str, str]:
    """Put what is said of a layout beside it, and say which repositories did not take it."""
    repositories = [each for each in request.repositories if each.name not in lacking]
    futures = [
        running.attachments.submit(each.reference, request.referrers) for each in repositories
    ]
    await wait_for(running, futures)
    problems = {}
    for each, future in zip(repositories, futures):
        try:
            future.result()
        except RegistryError as e:
            name = f"{each.name}@{request.digest}"
            problems[each.name] = f"What is said of {name} must be beside it. {e}"
    return problems


async def _find_missing_signatures(
    running: RunningSession, request: PublicationRequest, lookup: _Lookup
) -> Mapping[PublishedRepository, MissingSignature]:
    """Where our signature is missing, or it could not be found out."""
    if not running.signatures.settings.signs:
        return {}
    platforms = request.platforms if running.signatures.settings.of_platforms else ()
    futures = {
        each: running.signatures.look_up(
            each.reference, (request.digest, *platforms), request.statements
        )
        for each in request.repositories
        if lookup.has_image(each)
    }
    await wait_for(running, tuple(futures.values()))
    missing = {}
    for each in request.repositories:
        name, problem = f"{each.name}@{request.digest}", None
        try:
            if each in futures and futures[each].result():
                continue
        except (RegistryError, SignatureError) as e:
            problem = f"Whether {name} is signed is not known. {e}"
        missing[each] = MissingSignature(each, PlannedTag.of_signature(name, problem))
    return missing


def _unsigned(tag: TagPublication, problem: str) -> TagPublication:
    """A tag that may not move, because it would lead to an image without a signature."""
    return replace(tag, problem=tag.problem or problem) if tag.is_planned else tag


async def _look_up(running: RunningSession, request: PublicationRequest) -> _Lookup:
    # A layout may be on its way to a repository that is not there yet. What `package` asked of an
    # image has its answer.
    is_uploaded = request.layout is not None
    of_image = Purpose.WRITE if is_uploaded else Purpose.READ
    of_tag = Purpose.WRITE if is_uploaded else Purpose.MOVE
    futures = {
        name: running.confirmations.submit(each, of_image if name[1] is None else of_tag)
        for name, each in _looked_up(request).items()
    }
    await wait_for(running, tuple(futures.values()))
    return _Lookup(request, {name: future.result() for name, future in futures.items()})


@uncacheable_rule(desc="Look up published tags")
async def plan_publication(request: PublicationRequest) -> Publication:
    running = await running_session()
    if not running.plans.has_begun(request.ticket):
        # Pants asks again what it asked in an earlier session, to see whether anything changed. The
        # session did, so the rule that publishes runs, and asks with another ticket.
        return Publication()
    lookup = await _look_up(running, request)
    keeper = await keep_session(**implicitly())
    for tag, digest in lookup.found_tags():
        keeper.confirmed.note_tag(tag, digest)
    problems: Mapping[str, str] = {}
    lacking = lookup.lacking()
    if request.layout is not None and lacking:
        names = tuple(each.name for each in lacking)
        uploaded = await execute_process(_upload_process(request.layout, names), **implicitly())
        problems = _problems(uploaded, names)
    if request.referrers:
        problems = {**problems, **await _attach(running, request, problems)}
    missing = await _find_missing_signatures(running, request, lookup)
    published: list[TagPublication] = []
    for repository in request.repositories:
        signature = missing.get(repository)
        problem = problems.get(repository.name)
        tags = [
            replace(each, problem=each.problem or problem)
            for each in lookup.publications(repository)
        ]
        if signature is not None and signature.planned.problem is not None:
            tags = [_unsigned(each, signature.planned.problem) for each in tags]
        has_image = lookup.has_image(repository)
        _plan(running, request, repository, tags, signature, has_image=has_image)
        published += tags
    wanted = (f"{each.name}:{tag}" for each in request.repositories for tag in each.tags)
    running.plans.claim(request.ticket, request.digest, wanted)
    leads = running.plans.leads(request.ticket)
    return Publication(tuple(published), leads, tuple(missing.values()))
