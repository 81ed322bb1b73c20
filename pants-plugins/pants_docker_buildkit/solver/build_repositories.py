"""Which registries has one build to do with, and with which of their repositories?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pants_docker_buildkit.buildx.attributes import InvalidAttributesError, parse_cache_attributes
from pants_docker_buildkit.buildx.builder import BUILDKIT_IMAGE
from pants_docker_buildkit.buildx.builder_description import DOCKER_CONTAINER, BuilderDescription
from pants_docker_buildkit.oci.mirrors import ImageMirrors
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.push_rehearsals import PushedKind, PushedName
from pants_docker_buildkit.solver.definition import IMAGE_SCHEME, BuildJob
from pants_docker_buildkit.solver.source_policy import mirrored_source

# As BuildKit has it of `ignore-error` (`strconv.ParseBool` of Go).
_TRUE = ("1", "t", "T", "TRUE", "true", "True")


def build_repositories(job: BuildJob, settings: BuildSettings) -> dict[str, str]:
    """The registries that the build pushes to, has its bases and frontend from, and caches in.

    Also the mirrors that a described builder asks in their place, and where its own image is from.

    Each with the repository whose account it is to be: BuildKit has one for a registry, so it is
    the one that the image is pushed to, if it is pushed there.
    """
    found: dict[str, str] = {}
    add_references(found, _references(job, settings))
    if settings.described_builder is not None:
        add_references(found, tuple(mirror_references(settings.described_builder, found)))
        add_references(found, daemon_images(settings.described_builder))
    return found


def daemon_images(description: BuilderDescription) -> Iterator[str]:
    """The images that buildx pulls to run the nodes."""
    if description.driver == DOCKER_CONTAINER:
        for node in description.nodes:
            yield dict(node.driver_opts).get("image", BUILDKIT_IMAGE)


def mirror_references(
    description: BuilderDescription, repositories: Mapping[str, str]
) -> Iterator[str]:
    """What the mirrors of registries are asked for, where these are asked for `repositories`."""
    registries = () if description.buildkitd is None else description.buildkitd.registries
    for registry in registries:
        if registry.host in repositories:
            for mirror in registry.mirrors:
                yield f"{mirror.rstrip('/')}/{repositories[registry.host]}"


def pushed_names(job: BuildJob, settings: BuildSettings) -> Iterator[PushedName]:
    """What the build pushes to, images first. A cache that may fail is none of it."""
    accounts = build_repositories(job, settings)
    is_pushed = job.definition.output == "registry"
    names = [(PushedKind.IMAGE, each) for each in job.repositories if is_pushed]
    for text in settings.cache_to:
        attributes = _attributes(text)
        if attributes.get("type") == "registry" and attributes.get("ignore-error") not in _TRUE:
            names.append((PushedKind.CACHE, attributes.get("ref", "")))
    for kind, text in names:
        with suppress(InvalidImageReferenceError):
            name = ImageReference.parse_familiar(text)
            yield PushedName(kind.value, name.registry, name.repository, accounts[name.registry])


def add_references(found: dict[str, str], references: Iterable[str]) -> None:
    """Add the registries of these images that are not there yet."""
    for text in references:
        with suppress(InvalidImageReferenceError):
            reference = ImageReference.parse_familiar(text)
            found.setdefault(reference.registry, reference.repository)


def _references(job: BuildJob, settings: BuildSettings) -> Iterator[str]:
    definition = job.definition
    if definition.output == "registry":
        yield from job.repositories
    mirrors = ImageMirrors(settings.mirrors)
    for source in (mirrored_source(each, mirrors) for each in definition.sources):
        if source.pinned.startswith(IMAGE_SCHEME):
            yield source.pinned[len(IMAGE_SCHEME) :]
    for text in (*settings.cache_from, *settings.cache_to):
        yield _attributes(text).get("ref", "")


def _attributes(text: str) -> Mapping[str, str]:
    try:
        return parse_cache_attributes(text)
    except InvalidAttributesError:
        return {}
