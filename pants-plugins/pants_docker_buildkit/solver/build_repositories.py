"""Which registries has one build to do with, and with which of their repositories?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from pants_docker_buildkit.buildx.attributes import (
    InvalidAttributesError,
    parse_cache_attributes,
)
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.solver.definition import BuildJob, ContextKind
from pants_docker_buildkit.solver.profile import BuildSettings


def build_repositories(job: BuildJob, settings: BuildSettings) -> Mapping[str, str]:
    """The registries that the build pushes to, has its bases and frontend from, and caches in.

    Each with the repository whose account it is to be: BuildKit has one for a registry, so it is
    the one that the image is pushed to, if it is pushed there.
    """
    found: dict[str, str] = {}
    for text in _references(job, settings):
        with suppress(InvalidImageReferenceError):
            reference = ImageReference.parse_familiar(text)
            found.setdefault(reference.registry, reference.repository)
    return found


def _references(job: BuildJob, settings: BuildSettings) -> Iterator[str]:
    definition = job.definition
    if definition.output == "registry":
        yield from job.repositories
    for context in definition.named_contexts:
        if context.kind is ContextKind.IMAGE:
            yield context.value
    if definition.frontend is not None:
        yield definition.frontend
    for text in (*settings.cache_from, *settings.cache_to):
        try:
            yield parse_cache_attributes(text).get("ref", "")
        except InvalidAttributesError:
            continue
