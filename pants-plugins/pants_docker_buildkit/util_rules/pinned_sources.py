"""What may the build of an image read from outside of the repository, and what exactly is that?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from pants.engine.target import Field

from pants_docker_buildkit.compat import concurrently, implicitly
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, RemoteKind, RemoteSource
from pants_docker_buildkit.dockerfile.git_source import GitSource, is_commit, parse_git_source
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.errors import (
    BuildKitImageError,
    InvalidImageFieldError,
    InvalidOptionError,
    UnresolvedBaseImageError,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import Lock
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.ssh_login import is_ssh
from pants_docker_buildkit.remote.web_content import has_credentials
from pants_docker_buildkit.solver.definition import (
    IMAGE_SCHEME,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_images import BaseImage, resolve_base_image
from pants_docker_buildkit.util_rules.build_settings import forwarded_ssh
from pants_docker_buildkit.util_rules.dockerfile import FRONTEND_ARGUMENT, ImageDockerfile
from pants_docker_buildkit.util_rules.image_lock import NO_LOCK, AppliedLock
from pants_docker_buildkit.util_rules.index_attestations import scanner_images
from pants_docker_buildkit.util_rules.remote_content import (
    GitCommitOfRequest,
    RemoteAnswer,
    WebChecksumRequest,
    find_git_commit,
    find_web_checksum,
)

_NO_LINE = 0
"""Of what a field names, not the Dockerfile."""


@dataclass(frozen=True)
class PinnedSourcesRequest:
    """Asks for what the Dockerfile and named contexts read.

    What `lock` has is not asked. Another `attempt` asks URLs again, which changed since.
    """

    field_set: BuildKitImageFieldSet
    dockerfile: ImageDockerfile
    contexts: tuple[NamedContext, ...]
    lock: AppliedLock = NO_LOCK
    attempt: int = 0


@dataclass(frozen=True)
class PinnedSources:
    """All that BuildKit may read from outside, sorted.

    `moving` has the pins of what the Dockerfile and fields do not pin themselves.
    """

    all: tuple[PinnedSource, ...]
    moving: Lock


def _image_lines(analyses: Iterable[DockerfileAnalysis]) -> dict[str, int | None]:
    """The images that the Dockerfile names, frontend included, each with its first line."""
    lines: dict[str, int | None] = {}
    for analysis in analyses:
        for material in analysis.materials:
            lines.setdefault(material.reference, next(iter(material.lines), None))
    return lines


def _parse_references(
    request: PinnedSourcesRequest, lines: Mapping[str, int | None]
) -> dict[str, ImageReference]:
    references = {}
    for text, line in lines.items():
        try:
            references[text] = ImageReference.parse_familiar(text)
        except InvalidImageReferenceError as e:
            where = f"the build argument '{FRONTEND_ARGUMENT}'" if line is None else f"line {line}"
            reason = f"{where} names the image {text!r}, which must {e.requirement}"
            next_step = _digest_advice(text)
            raise request.dockerfile.error(request.field_set, reason, next_step) from e
    return references


def _digest_advice(reference: str) -> str:
    """What to do about a digest that is not understood; empty where there is none."""
    name, at, _ = reference.partition("@")
    if not at:
        return ""
    return (
        "Write the sha256 digest of the same image, which"
        f" 'docker buildx imagetools inspect {name}' prints, or the tag alone."
    )


@dataclass(frozen=True)
class _Named:
    """What fields name that a build may read, and the field that names it."""

    images: Mapping[ImageReference, Field]
    downloads: Mapping[RemoteSource, Field]


def _external_sources(field_set: BuildKitImageFieldSet, shared: Iterable[str]) -> _Named:
    """What the field and the option name."""
    field = field_set.external_sources
    images, remote = [], []
    refusals: dict[str, Callable[[str, str], BuildKitImageError]] = {
        **dict.fromkeys(shared, partial(InvalidOptionError, field.alias)),
        **dict.fromkeys(field.value or (), partial(field_set.error, field)),
    }
    for text, refuse in refusals.items():
        kind = remote_kind(text)
        if text.startswith(IMAGE_SCHEME):
            try:
                images.append(ImageReference.parse_familiar(text[len(IMAGE_SCHEME) :]))
            except InvalidImageReferenceError as e:
                requirement = f"name images by references, each of which must {e.requirement}"
                raise refuse(requirement, f"{text!r} does not") from e
        elif kind is not None and not has_credentials(text):
            remote.append(RemoteSource(_NO_LINE, kind, text))
        else:
            raise refuse(
                f"hold images as '{IMAGE_SCHEME}REFERENCE', URLs, and Git URLs, without passwords",
                f"{redact(text)!r} is not one of them",
            )
    return _Named(dict.fromkeys(images, field), dict.fromkeys(remote, field))


def _named_contexts(field_set: BuildKitImageFieldSet, contexts: Iterable[NamedContext]) -> _Named:
    """What contexts are that are neither files nor layouts."""
    field = field_set.build_contexts
    kinds = {ContextKind.GIT: RemoteKind.GIT, ContextKind.URL: RemoteKind.HTTP}
    images = [
        ImageReference.parse_familiar(each.value)
        for each in contexts
        if each.kind is ContextKind.IMAGE
    ]
    remote = [
        RemoteSource(_NO_LINE, kinds[each.kind], each.value)
        for each in contexts
        if each.kind in kinds
    ]
    return _Named(dict.fromkeys(images, field), dict.fromkeys(remote, field))


def _find_named(request: PinnedSourcesRequest, subsystem: DockerBuildKitSubsystem) -> _Named:
    """All that fields name, each with the first field that does."""
    field_set = request.field_set
    external = _external_sources(field_set, subsystem.external_sources)
    contexts = _named_contexts(field_set, request.contexts)
    scanners = dict.fromkeys(scanner_images(field_set), field_set.attest)
    context = field_set.context.value
    repository = [RemoteSource(_NO_LINE, RemoteKind.GIT, context)] if context else []
    return _Named(
        {**scanners, **contexts.images, **external.images},
        {
            **dict.fromkeys(repository, field_set.context),
            **contexts.downloads,
            **external.downloads,
        },
    )


def _remote_sources(request: PinnedSourcesRequest) -> tuple[RemoteSource, ...]:
    """What `ADD`s download, each once."""
    remote = dict.fromkeys(
        source
        for analysis in request.dockerfile.analyses
        for stage in analysis.reachable_stages
        for source in stage.remote_sources
    )
    for source in remote:
        if has_credentials(source.url):
            raise request.dockerfile.error(
                request.field_set,
                f"line {source.line} adds {redact(source.url)!r} with a password or token, which"
                " the caches would show to others",
                "Download it in a RUN that mounts a secret; for Git, give BuildKit a secret with"
                " the ID 'GIT_AUTH_TOKEN'.",
            )
    return tuple(remote)


def _unknown_content(
    request: PinnedSourcesRequest, source: RemoteSource, field: Field | None, problem: str
) -> InvalidImageFieldError:
    """What to raise for what the Dockerfile downloads, or a `field` names."""
    if field is not None:
        requirement = "name URLs and repositories whose content can be known"
        finding = f"of {redact(source.url)!r}: {problem.rstrip('.')}"
        return request.field_set.error(field, requirement, finding)
    reason = f"line {source.line} adds {redact(source.url)!r}, and what that is cannot be known:"
    next_step = (
        "Give that ADD a '--checksum'."
        if source.kind is RemoteKind.HTTP
        else "End its URL in '#' and a full commit."
    )
    return request.dockerfile.error(request.field_set, f"{reason} {problem}", next_step)


@dataclass(frozen=True)
class _Pins:
    """The sources of one kind, and the pins of those that move, as in a lock."""

    sources: tuple[PinnedSource, ...]
    moving: Mapping[str, str]


async def _pin_downloads(
    request: PinnedSourcesRequest, named: Mapping[RemoteSource, Field]
) -> _Pins:
    """What `ADD`s download and fields name, as it is now where it is not said.

    `named` has the fields that name something.
    """
    remote = (*_remote_sources(request), *named)
    pinned = {source: _pinned_download(source) for source in remote}
    moving = [source for source in remote if pinned[source] is None and _is_readable(source)]
    locked = {source: request.lock.download(source.url) for source in moving}
    asked = [source for source in moving if locked[source] is None]
    for source in asked:
        request.lock.say_missing(request.field_set.address, source.url, source.line)
    answers = await _ask_downloads(asked, request)
    for source, answer in answers.items():
        if answer.problem:
            raise _unknown_content(request, source, named.get(source), answer.problem)
    pins = {source: answers[source].value if pin is None else pin for source, pin in locked.items()}
    for source, pin in pins.items():
        problem = _contradiction(source, pin)
        if problem:
            raise _unknown_content(request, source, named.get(source), problem)
    known = {source: pin for source, pin in pinned.items() if pin is not None}
    known.update((source, _at(source, pin)) for source, pin in pins.items())
    _check_contents(request, known)
    return _Pins(tuple(known.values()), {source.url: pin for source, pin in pins.items()})


def _check_contents(
    request: PinnedSourcesRequest, downloads: Mapping[RemoteSource, PinnedSource]
) -> None:
    """Refuse a URL that must have one content here and another one there.

    BuildKit would convert one into the other without end. It says itself what a repository lacks.
    """
    first: dict[str, tuple[RemoteSource, PinnedSource]] = {}
    for source, pin in downloads.items():
        other, expected = first.setdefault(source.url, (source, pin))
        if source.kind is RemoteKind.HTTP and pin.checksum != expected.checksum:
            raise request.dockerfile.error(
                request.field_set,
                f"{redact(source.url)!r} cannot be both {expected.checksum} ({_place(other)}) and"
                f" {pin.checksum} ({_place(source)})",
                "Update or remove the '--checksum' that is not right any more.",
            )


def _place(source: RemoteSource) -> str:
    where = f"line {source.line}" if source.line else "a field"
    return where if source.checksum else f"{where}, without '--checksum'"


async def _ask_downloads(
    moving: Collection[RemoteSource], request: PinnedSourcesRequest
) -> dict[RemoteSource, RemoteAnswer]:
    """What each gives now."""
    if not moving:
        return {}
    urls = [source for source in moving if source.kind is RemoteKind.HTTP]
    repositories = [
        (source, repository) for source in moving if (repository := _repository(source)) is not None
    ]
    checksums = await concurrently(
        find_web_checksum(WebChecksumRequest(source.url, request.attempt), **implicitly())
        for source in urls
    )
    ssh = forwarded_ssh(request.field_set)
    questions = [
        GitCommitOfRequest(source.url, repository.reference, ssh if is_ssh(source.url) else ())
        for source, repository in repositories
    ]
    commits = await concurrently(find_git_commit(each, **implicitly()) for each in questions)
    asked = (*urls, *(source for source, _ in repositories))
    return dict(zip(asked, (*checksums, *commits)))


def _repository(source: RemoteSource) -> GitSource | None:
    return parse_git_source(source.url) if source.kind is RemoteKind.GIT else None


def _is_readable(source: RemoteSource) -> bool:
    return source.kind is RemoteKind.HTTP or _repository(source) is not None


def _at(source: RemoteSource, pin: str) -> PinnedSource:
    """What a name that moves gives, by the checksum or commit."""
    repository = _repository(source)
    if repository is None:
        return PinnedSource(source.url, source.url, pin)
    return PinnedSource(repository.identifier, repository.at(pin).identifier)


def _contradiction(source: RemoteSource, pin: str) -> str:
    """What is wrong with a checksum of which only the beginning is written; empty if nothing."""
    repository = _repository(source)
    checksum = "" if repository is None else source.checksum or repository.checksum
    if pin.startswith(checksum):
        return ""
    return f"its checksum is {checksum!r}, but it is {pin} now"


def _pinned_download(source: RemoteSource) -> PinnedSource | None:
    """What an `ADD` gives, if the Dockerfile says so itself.

    BuildKit takes the beginning of a commit's name as a checksum, too, which others may share.
    """
    if source.kind is RemoteKind.HTTP:
        if source.checksum is None:
            return None
        return PinnedSource(source.url, source.url, source.checksum)
    repository = _repository(source)
    if repository is None:
        return None
    identifier, checksum = repository.identifier, source.checksum or repository.checksum
    if repository.is_pinned or is_commit(checksum):
        return PinnedSource(identifier, identifier, checksum)
    return None


async def _pin_images(
    request: PinnedSourcesRequest,
    lines: Mapping[str, int | None],
    named: Mapping[ImageReference, Field],
) -> _Pins:
    """The images of the Dockerfile, by their lines, and of fields, as their tags are now."""
    address = request.field_set.address
    written = {each: text for text, each in _parse_references(request, lines).items()}
    references = dict.fromkeys((*written, *named))
    pinned = {each: request.lock.pin(each) for each in references if not each.is_pinned}
    asked = [each for each, pin in pinned.items() if pin is None]
    for each in asked:
        request.lock.say_missing(address, each.familiar, lines.get(written.get(each, "")))
    answers: tuple[BaseImage, ...] = ()
    if asked:
        answers = await concurrently(resolve_base_image(each, **implicitly()) for each in asked)
    for each, answer in zip(asked, answers):
        pinned[each] = answer.pinned
        if answer.pinned is None:
            text = written.get(each)
            if text is None:
                raise _unknown_image(request.field_set, each, named[each], answer.problem)
            raise UnresolvedBaseImageError(text, address, lines[text], answer.problem)
    moving = {str(each): str(pin.digest) for each, pin in pinned.items() if pin is not None}
    images = (PinnedSource.image(str(each), str(pinned.get(each) or each)) for each in references)
    return _Pins(tuple(images), moving)


def _unknown_image(
    field_set: BuildKitImageFieldSet, reference: ImageReference, field: Field, problem: str
) -> InvalidImageFieldError:
    requirement = "name images that their registries have"
    finding = f"of {reference.familiar!r}: {problem.rstrip('.')}"
    return field_set.error(field, requirement, finding)


async def pin_sources(
    request: PinnedSourcesRequest, subsystem: DockerBuildKitSubsystem
) -> PinnedSources:
    """What a build reads from outside, as it is now."""
    named = _find_named(request, subsystem)
    images = await _pin_images(request, _image_lines(request.dockerfile.analyses), named.images)
    downloads = await _pin_downloads(request, named.downloads)
    return PinnedSources(
        tuple(sorted({*images.sources, *downloads.sources})),
        Lock(
            {name: parse_oci_digest(pin) for name, pin in images.moving.items()}, downloads.moving
        ),
    )
