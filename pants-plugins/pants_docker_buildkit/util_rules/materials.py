"""What is an image made from, as its definition says?

A build reads nothing that is not in its definition, so that this is known of images that are not
built, whatever a builder tells. What `RUN` steps download is known to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.dockerfile.analysis import OriginKind
from pants_docker_buildkit.dockerfile.git_source import is_commit, parse_git_source
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.registry.redaction import redact_urls
from pants_docker_buildkit.solver.definition import (
    GIT_SCHEME,
    IMAGE_SCHEME,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile

_SHA1_LENGTH = 40

Platforms = dict[str, "set[ImagePlatform | None]"]


def image_materials(
    sources: Iterable[PinnedSource],
    contexts: Iterable[NamedContext],
    dockerfile: ImageDockerfile,
) -> tuple[BuildMaterial, ...]:
    """All that a build reads from outside, and the images that it is based on. Sorted.

    An image is named once for each that it is pulled for, in the form
    of BuildKit's own provenance:
    https://github.com/moby/buildkit/blob/master/util/purl/image.go.
    """
    named = tuple(contexts)
    platforms = _platforms(dockerfile, named)
    found: set[BuildMaterial] = set()
    for source in sources:
        if source.identifier.startswith(IMAGE_SCHEME):
            found |= set(_images(source, platforms))
        elif source.identifier.startswith(GIT_SCHEME):
            commit = source.commit
            algorithm = "sha1" if len(commit) == _SHA1_LENGTH else "sha256"
            found.add(BuildMaterial(redact_urls(source.identifier), f"{algorithm}:{commit}"))
        else:
            found.add(BuildMaterial(redact_urls(source.identifier), source.checksum))
    for context in named:
        if context.kind is ContextKind.LAYOUT:
            for platform in platforms.get(context.name, {None}):
                uri = _package_url("oci", context.name, None, context.value, platform)
                found.add(BuildMaterial(uri, context.value))
    return tuple(sorted(found))


def merge_materials(
    defined: Iterable[BuildMaterial], told: Iterable[BuildMaterial]
) -> tuple[BuildMaterial, ...]:
    """What a definition names, and what a builder tells besides, such as what its proxy saw.

    Of a Git tag with a message, BuildKit since 0.26 tells what the tag itself is, not the commit.
    """
    known = set(defined)
    found = {each.digest for each in known}
    found |= {_git_name(each) for each in known if is_commit(each.digest.partition(":")[2])} - {""}
    others = {
        BuildMaterial(redact_urls(each.uri), each.digest)
        for each in told
        if found.isdisjoint((each.digest, _git_name(each)))
    }
    return tuple(sorted(known | others))


def _git_name(material: BuildMaterial) -> str:
    """BuildKit's name for a branch or tag, whatever is read of it; empty of what is not in Git."""
    source = parse_git_source(material.uri)
    return "" if source is None else replace(source, subdirectory="").identifier


def _platforms(dockerfile: ImageDockerfile, contexts: Iterable[NamedContext]) -> Platforms:
    """What each image is pulled for, by its spelled-out reference, or the name of its context."""
    values = {each.name: each for each in contexts}
    found: Platforms = {}
    for target, analysis in zip(dockerfile.platforms, dockerfile.analyses):
        for material in analysis.materials:
            found.setdefault(_spelled_out(material.reference), set()).add(material.platform)
        for origin in analysis.origins:
            context = values.get(origin.text)
            if origin.kind is not OriginKind.NAMED_CONTEXT or context is None:
                continue
            name = context.value if context.kind is ContextKind.IMAGE else context.name
            found.setdefault(name, set()).add(origin.platform or target)
    return found


def _spelled_out(reference: str) -> str:
    try:
        return str(ImageReference.parse_familiar(reference))
    except InvalidImageReferenceError:
        return reference


def _images(source: PinnedSource, platforms: Platforms) -> Iterator[BuildMaterial]:
    pinned = ImageReference.parse(source.pinned[len(IMAGE_SCHEME) :])
    digest = str(pinned.digest)
    name = pinned.name if pinned.tag is None else str(pinned.with_tag(pinned.tag))
    familiar = ImageReference.parse(name).familiar.removesuffix(f":{pinned.tag}")
    for platform in platforms.get(source.identifier[len(IMAGE_SCHEME) :], {None}):
        uri = _package_url("docker", familiar, pinned.tag, digest, platform)
        yield BuildMaterial(uri, digest)


def _package_url(
    kind: str, name: str, tag: str | None, digest: str, platform: ImagePlatform | None
) -> str:
    """https://github.com/package-url/purl-spec, as BuildKit writes it."""
    version = "" if tag is None else f"@{quote(tag)}"
    pulled_for = "" if platform is None else f"&platform={quote(str(platform), safe='')}"
    return f"pkg:{kind}/{name}{version}?digest={digest}{pulled_for}"
