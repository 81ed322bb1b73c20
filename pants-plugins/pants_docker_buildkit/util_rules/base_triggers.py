"""What do the images have a build do that it is based on (`ONBUILD`)?

Only the configuration of an image says it. A process reads that, whose key is the repository, the
digest and the platform: so it is read once for all who share a cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.dockerfile.analysis import Origin, OriginKind
from pants_docker_buildkit.dockerfile.parser import ImageTriggers
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import choose_for_platform
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.solver.base_triggers import parse_triggers
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext
from pants_docker_buildkit.solver.main import TRIGGERS_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_images import resolve_base_image
from pants_docker_buildkit.util_rules.cached_answer import CachedAnswerRequest, ask_once
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile
from pants_docker_buildkit.util_rules.image_lock import AppliedLock
from pants_docker_buildkit.util_rules.mirrors import image_mirrors
from pants_docker_buildkit.util_rules.upstream_images import Upstream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseTriggersRequest:
    """Asks for the triggers of an image, for builds for a platform."""

    reference: ImageReference
    platform: ImagePlatform


@dataclass(frozen=True)
class BaseTriggers:
    """Instructions, without their `ONBUILD`; `None` of an image that cannot be read."""

    triggers: tuple[str, ...] | None


@rule(desc="Read triggers of base image")
async def read_base_triggers(
    request: BaseTriggersRequest, subsystem: DockerBuildKitSubsystem
) -> BaseTriggers:
    pinned: ImageReference | None = request.reference
    if not request.reference.is_pinned:
        pinned = (await resolve_base_image(request.reference, **implicitly())).pinned
    if pinned is None:
        # Who pins all sources says why.
        return BaseTriggers(None)
    pinned = image_mirrors(subsystem).of(pinned)
    name = f"{pinned.registry}/{pinned.repository}@{pinned.digest}"
    arguments = (name, str(request.platform))
    description = f"Read the triggers of {name} for {request.platform}"
    question = CachedAnswerRequest(TRIGGERS_COMMAND, arguments, description)
    answer = await ask_once(question, **implicitly())
    try:
        if not answer.problem:
            return BaseTriggers(parse_triggers(answer.content))
        finding = answer.problem
    except ValueError as e:
        finding = f"What was cached of the triggers of {name} cannot be read: {e}."
    logger.info(f"{finding} If it has any, BuildKit says so when it builds.")
    return BaseTriggers(None)


def _reference(origin: Origin, contexts: Iterable[NamedContext]) -> str | None:
    """The image that a base is, as a reference or the digest of a layout."""
    if origin.kind is OriginKind.IMAGE:
        return origin.text
    context = next((each for each in contexts if each.name == origin.text), None)
    is_image = context is not None and context.kind in (ContextKind.IMAGE, ContextKind.LAYOUT)
    return context.value if context is not None and is_image else None


def _recorded(
    reference: str, platform: ImagePlatform, upstream: Upstream
) -> tuple[str, ...] | None:
    """The triggers of an image of this repository, whose record has them."""
    images = dict(upstream.images).get(reference.rpartition("@")[2])
    if images is None:
        return None
    chosen = choose_for_platform([each.platform for each in images], platform)
    return () if chosen is None else images[chosen].triggers


def _parse(reference: str) -> ImageReference | None:
    try:
        return ImageReference.parse_familiar(reference)
    except InvalidImageReferenceError:
        # The rule that pins it says which line names it.
        return None


async def read_new_triggers(
    dockerfile: ImageDockerfile,
    contexts: Iterable[NamedContext],
    upstream: Upstream,
    lock: AppliedLock,
) -> tuple[ImageTriggers, ...]:
    """The triggers of what `analyses` are based on, apart from those that `dockerfile` has.

    An entry for each image, also for one without triggers.
    """
    known = {(each.name, each.platform) for each in dockerfile.parsed.image_triggers}
    found: dict[tuple[str, ImagePlatform | None], tuple[str, ...] | None] = {}
    asked: dict[tuple[str, ImagePlatform | None], BaseTriggersRequest] = {}
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
                asked[key] = BaseTriggersRequest(parsed, platform)
    if asked:
        answers = await concurrently(
            read_base_triggers(each, **implicitly()) for each in asked.values()
        )
        found.update(zip(asked, (answer.triggers for answer in answers)))
    return tuple(ImageTriggers(name, platform, each) for (name, platform), each in found.items())
