"""Where are the tags of an image now, and what has to be done for them?

Content is uploaded here, under its digest, as `package` does it for images in registries. Tags are
only looked at: `tag_moves` moves them, once everything was packaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.process import InteractiveProcess
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import (
    PUBLISHES_ONE_BY_ONE,
    execute_process,
    implicitly,
    uncacheable_rule,
)
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Confirmation, Missing, Unknown
from pants_docker_buildkit.registry.image_content import ImageContent, RepositoryContent
from pants_docker_buildkit.registry.tag_move import RepositoryMoves, TagMove
from pants_docker_buildkit.util_rules.published_names import PublishedRepository
from pants_docker_buildkit.util_rules.registry_access import (
    RegistryAccess,
    RegistryAccessRequest,
    prepare_registry_access,
)
from pants_docker_buildkit.util_rules.registry_wait import WaitRequest, wait_for_registries
from pants_docker_buildkit.util_rules.session import (
    WAITS_DIRECTORY,
    Session,
    SessionRequest,
    open_session,
)
from pants_docker_buildkit.util_rules.tag_moves import (
    MoveOutcome,
    PlannedMove,
    failing_process,
)


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
    that of the plan, from `TagMoves.begin_plan`.
    """

    address: Address
    ticket: str
    digest: OciDigest
    repositories: tuple[PublishedRepository, ...]
    references: tuple[str, ...]
    layout: Digest | None


@dataclass(frozen=True)
class TagPublication:
    """What becomes of one tag.

    `process` moves it, or tells the `problem`. There is none for a tag that needs no change. With
    an `outcome`, it may be moved and told before the goal comes to that process.
    """

    repository: PublishedRepository
    tag: str
    change: TagChange
    before: OciDigest | None = None
    process: InteractiveProcess | None = None
    problem: str | None = None
    outcome: MoveOutcome | None = None

    @property
    def name(self) -> str:
        """`registry/repository:tag`."""
        return f"{self.repository.name}:{self.tag}"

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
class Publication:
    """What becomes of all tags of one image."""

    tags: tuple[TagPublication, ...]


class _Lookup:
    """What registries say of an image, and of the tags that it shall get."""

    def __init__(self, access: RegistryAccess, request: PublicationRequest) -> None:
        self._request = request
        names = {
            each: ImageReference(each.registry, each.repository) for each in request.repositories
        }
        # A layout may be on its way to a repository that is not there yet.
        submit = partial(access.confirmations.submit, to_write=request.layout is not None)
        self._images = {each: submit(name.pinned(request.digest)) for each, name in names.items()}
        self._tags = {
            (each, tag): submit(name.with_tag(tag))
            for each, name in names.items()
            for tag in each.tags
        }

    @property
    def futures(self) -> list[Future[Confirmation]]:
        """All answers."""
        return [*self._images.values(), *self._tags.values()]

    def lacking(self) -> tuple[PublishedRepository, ...]:
        """The repositories that answered that they do not have the image."""
        return tuple(
            each for each, future in self._images.items() if isinstance(future.result(), Missing)
        )

    def publications(self, repository: PublishedRepository) -> Iterable[TagPublication]:
        """What has to be done for each tag of a repository."""
        for tag in repository.tags:
            answer = self._tags[repository, tag].result()
            if isinstance(answer, Unknown):
                yield TagPublication(repository, tag, TagChange.UNKNOWN, problem=str(answer.error))
            elif isinstance(answer, Missing):
                yield TagPublication(repository, tag, TagChange.CREATED)
            else:
                before = answer.descriptor.digest
                is_there = before == self._request.digest
                change = TagChange.NONE if is_there else TagChange.MOVED
                yield TagPublication(repository, tag, change, before)


def _sources(access: RegistryAccess, request: PublicationRequest) -> tuple[ImageContent, ...]:
    """Where the image can be copied from if one of its repositories has lost it."""
    references = map(ImageReference.parse, request.references)
    return tuple(
        RepositoryContent(
            access.clients.client(each.registry, each.repository), each.repository, request.digest
        )
        for each in references
    )


def _with_processes(
    access: RegistryAccess,
    session: Session,
    request: PublicationRequest,
    tags: Sequence[TagPublication],
) -> Iterable[TagPublication]:
    """The tags of one repository, each with the process that moves it or tells its problem."""
    moves = {
        each.tag: TagMove(each.tag, each.before)
        for each in tags
        if each.problem is None and each.change is not TagChange.NONE
    }
    planned: dict[str, PlannedMove] = {}
    if moves:
        repository = tags[0].repository
        wanted = RepositoryMoves(
            repository.registry, repository.repository, request.digest, tuple(moves.values())
        )
        sources = _sources(access, request)
        lines = {
            each.tag: f"✓ {each.name} published to {each.describe(request.digest)}."
            for each in tags
            if PUBLISHES_ONE_BY_ONE
        }
        found = access.tag_moves.plan(request.ticket, wanted, sources, session.path, lines)
        planned = dict(zip(moves, found))
    for each in tags:
        if each.problem is not None:
            yield replace(each, process=failing_process(each.problem))
        elif each.tag in planned:
            move = planned[each.tag]
            yield replace(each, process=move.process, outcome=move.outcome)
        else:
            yield each


@uncacheable_rule(desc="Look up published tags")
async def plan_publication(request: PublicationRequest) -> Publication:
    session = await open_session(SessionRequest(), **implicitly())
    access = await prepare_registry_access(RegistryAccessRequest(), **implicitly())
    if not access.tag_moves.has_begun(request.ticket):
        # Pants asks again what it asked in an earlier session, to see whether anything changed. The
        # access to registries did, so the rule that publishes runs, and asks with another ticket.
        return Publication(())
    lookup = _Lookup(access, request)
    token = access.waits.join(lookup.futures, session.path / WAITS_DIRECTORY)
    if token is not None:
        await wait_for_registries(WaitRequest(token), **implicitly())
    problems: Mapping[str, str] = {}
    lacking = lookup.lacking()
    if request.layout is not None and lacking:
        references = [ImageReference(each.registry, each.repository) for each in lacking]
        upload = access.uploads.prepare(request.layout, references, session.path)
        result = await execute_process(upload.process, **implicitly())
        problems = upload.outcome(result)
    names = (f"{each.name}:{tag}" for each in request.repositories for tag in each.tags)
    access.tag_moves.claim(request.ticket, request.digest, names)
    published: list[TagPublication] = []
    for repository in request.repositories:
        problem = problems.get(repository.name)
        tags = [
            replace(each, problem=each.problem or problem)
            for each in lookup.publications(repository)
        ]
        published += _with_processes(access, session, request, tags)
    return Publication(tuple(published))


def rules() -> Iterable[Rule]:
    return collect_rules()
