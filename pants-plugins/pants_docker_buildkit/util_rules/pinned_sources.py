"""What may the build of an image read from outside of the repository, and what exactly is that?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.dockerfile.analysis import (
    DockerfileAnalysis,
    RemoteKind,
    RemoteSource,
)
from pants_docker_buildkit.dockerfile.git_source import parse_git_source
from pants_docker_buildkit.errors import UnresolvedBaseImageError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext, PinnedSource
from pants_docker_buildkit.util_rules.base_images import BaseImageRequest, resolve_base_image
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile


@dataclass(frozen=True)
class PinnedSourcesRequest:
    """Asks for what the Dockerfile, understood as `analyses`, and named contexts read."""

    field_set: BuildKitImageFieldSet
    dockerfile: ImageDockerfile
    analyses: tuple[DockerfileAnalysis, ...]
    contexts: tuple[NamedContext, ...]


@dataclass(frozen=True)
class PinnedSources:
    """All that BuildKit may read from outside, sorted."""

    all: tuple[PinnedSource, ...]


def _image_lines(analyses: Iterable[DockerfileAnalysis]) -> dict[str, int | None]:
    """The images that the Dockerfile names, frontend included, each with its first line."""
    lines: dict[str, int | None] = {}
    for analysis in analyses:
        for material in analysis.materials:
            lines.setdefault(material.reference, next(iter(material.lines), None))
    return lines


def _parse_references(
    request: PinnedSourcesRequest, lines: dict[str, int | None]
) -> dict[str, ImageReference]:
    references = {}
    for text, line in lines.items():
        try:
            references[text] = ImageReference.parse_familiar(text)
        except InvalidImageReferenceError as e:
            reason = f"line {line} names the image {text!r}, which must {e.requirement}"
            raise request.dockerfile.error(request.field_set, reason) from e
    return references


def _downloads(request: PinnedSourcesRequest) -> Iterator[PinnedSource]:
    remote = dict.fromkeys(
        source
        for analysis in request.analyses
        for stage in analysis.reachable_stages
        for source in stage.remote_sources
    )
    for source in remote:
        pinned = _pinned_download(source)
        if pinned is None:
            reason = f"line {source.line} adds {source.url!r}, which may change unnoticed"
            next_step = (
                "Give that ADD a '--checksum'."
                if source.kind is RemoteKind.HTTP
                else "End its URL in '#' and a full commit."
            )
            raise request.dockerfile.error(request.field_set, reason, next_step)
        yield pinned


def _pinned_download(source: RemoteSource) -> PinnedSource | None:
    """What an `ADD` gives, if the Dockerfile says so itself."""
    if source.kind is RemoteKind.HTTP:
        if source.checksum is None:
            return None
        return PinnedSource(source.url, source.url, source.checksum)
    repository = parse_git_source(source.url)
    if repository is None:
        return None
    identifier, commit = repository.identifier, source.checksum or repository.checksum
    if commit:
        return PinnedSource(identifier, identifier, commit)
    return PinnedSource(identifier, identifier) if repository.is_pinned else None


def _context_sources(contexts: Iterable[NamedContext]) -> Iterator[PinnedSource]:
    """What named contexts name has its digest or commit in it."""
    for context in contexts:
        if context.kind is ContextKind.IMAGE:
            yield PinnedSource.image(context.value, context.value)
        elif context.kind is ContextKind.GIT:
            repository = parse_git_source(context.value)
            if repository is not None:
                yield PinnedSource(repository.identifier, repository.identifier)


@rule(desc="Pin what an image build reads from outside")
async def pin_sources(request: PinnedSourcesRequest) -> PinnedSources:
    lines = _image_lines(request.analyses)
    references = _parse_references(request, lines)
    unpinned = {text: each for text, each in references.items() if not each.is_pinned}
    answers = await concurrently(
        resolve_base_image(BaseImageRequest(reference), **implicitly())
        for reference in unpinned.values()
    )
    images = [
        PinnedSource.image(str(each), str(each)) for each in references.values() if each.digest
    ]
    for (text, reference), answer in zip(unpinned.items(), answers):
        if answer.pinned is None:
            address = request.field_set.address
            raise UnresolvedBaseImageError(text, address, lines[text], answer.problem)
        images.append(PinnedSource.image(str(reference), str(answer.pinned)))
    return PinnedSources(
        tuple(sorted({*images, *_downloads(request), *_context_sources(request.contexts)}))
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
