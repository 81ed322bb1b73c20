"""What do the images say to a build that it is based on: their `ONBUILD`s, and their platform?

Only the configuration of an image says them. A process reads that, whose key is the repository, the
digest and the platform: so it is read once for all who share a cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.dockerfile.analysis import Origin, OriginKind
from pants_docker_buildkit.dockerfile.parser import KnownBase
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import BaseConfig, choose_for_platform
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.solver.base_config import parse_base_config
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext
from pants_docker_buildkit.solver.main import BASE_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_images import resolve_base_image
from pants_docker_buildkit.util_rules.cached_answer import CachedAnswerRequest, ask_once
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile
from pants_docker_buildkit.util_rules.image_lock import AppliedLock
from pants_docker_buildkit.util_rules.mirrors import image_mirrors
from pants_docker_buildkit.util_rules.upstream_images import Upstream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseConfigRequest:
    """Asks what an image says to builds for a platform."""

    reference: ImageReference
    platform: ImagePlatform


@dataclass(frozen=True)
class FoundBaseConfig:
    """What it says; `None` of an image that cannot be read."""

    config: BaseConfig | None


@rule(desc="Read config of base image")
async def read_base_config(
    request: BaseConfigRequest, subsystem: DockerBuildKitSubsystem
) -> FoundBaseConfig:
    pinned: ImageReference | None = request.reference
    if not request.reference.is_pinned:
        pinned = (await resolve_base_image(request.reference, **implicitly())).pinned
    if pinned is None:
        # Who pins all sources says why.
        return FoundBaseConfig(None)
    pinned = image_mirrors(subsystem).of(pinned)
    name = f"{pinned.registry}/{pinned.repository}@{pinned.digest}"
    arguments = (name, str(request.platform))
    description = f"Read the config of {name} for {request.platform}"
    question = CachedAnswerRequest(BASE_COMMAND, arguments, description)
    answer = await ask_once(question, **implicitly())
    try:
        if not answer.problem:
            return FoundBaseConfig(parse_base_config(answer.content))
        finding = answer.problem
    except ValueError as e:
        finding = f"What was cached of the config of {name} cannot be read: {e}."
    logger.info(f"{finding} If it has triggers, BuildKit says so when it builds.")
    return FoundBaseConfig(None)


def _reference(origin: Origin, contexts: Iterable[NamedContext]) -> str | None:
    """The image that a base is, as a reference or the digest of a layout."""
    if origin.kind is OriginKind.IMAGE:
        return origin.text
    context = next((each for each in contexts if each.name == origin.text), None)
    is_image = context is not None and context.kind in (ContextKind.IMAGE, ContextKind.LAYOUT)
    return context.value if context is not None and is_image else None


def _recorded(reference: str, platform: ImagePlatform, upstream: Upstream) -> BaseConfig | None:
    """What an image of this repository says, as its record has it."""
    images = dict(upstream.images).get(reference.rpartition("@")[2])
    if images is None:
        return None
    chosen = choose_for_platform([each.platform for each in images], platform)
    if chosen is None:
        return BaseConfig()
    return BaseConfig(images[chosen].triggers, images[chosen].platform)


def _parse(reference: str) -> ImageReference | None:
    try:
        return ImageReference.parse_familiar(reference)
    except InvalidImageReferenceError:
        # The rule that pins it says which line names it.
        return None


async def read_new_bases(
    dockerfile: ImageDockerfile,
    contexts: Iterable[NamedContext],
    upstream: Upstream,
    lock: AppliedLock,
) -> tuple[KnownBase, ...]:
    """What the images say that `dockerfile` is based on, apart from its `known_bases`.

    An entry for each image, also for one that says nothing.
    """
    known = {(each.name, each.platform) for each in dockerfile.parsed.known_bases}
    found: dict[tuple[str, ImagePlatform | None], BaseConfig | None] = {}
    asked: dict[tuple[str, ImagePlatform | None], BaseConfigRequest] = {}
    for analysis, target in zip(dockerfile.analyses, dockerfile.platforms):
        for origin in analysis.outside_bases:
            key, platform = (origin.text, origin.platform), origin.platform or target
            reference = None if key in known else _reference(origin, contexts)
            if reference is None:
                continue
            recorded = _recorded(reference, platform, upstream)
            parsed = _parse(reference) if recorded is None else None
            found[key] = recorded
            if parsed is not None and not parsed.is_pinned:
                locked = lock.pin(parsed)
                # Who pins all sources says what a lock lacks that has to have all.
                parsed = None if locked is None and lock.must_have_all else locked or parsed
            if parsed is not None:
                asked[key] = BaseConfigRequest(parsed, platform)
    if asked:
        answers = await concurrently(
            read_base_config(each, **implicitly()) for each in asked.values()
        )
        found.update(zip(asked, (answer.config for answer in answers)))
    return tuple(
        KnownBase(*key, None) if each is None else KnownBase(*key, each.triggers, each.platform)
        for key, each in found.items()
    )
