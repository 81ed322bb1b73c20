"""What does an image read by names that move? Found out without building anything.

A build replaces the addresses of other images by references, once these are built. For a lock, any
reference does that is pinned: what images of this repository are is in no lock.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from pants.engine.addresses import Address
from pants.engine.platform import Platform

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import Lock, merge_locks
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_args import check_unset
from pants_docker_buildkit.util_rules.build_platform import own_platform
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfile,
    analyze_dockerfile,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.git_contexts import ContextCommitRequest, find_context_commit
from pants_docker_buildkit.util_rules.image_inputs import given_arguments, understand_dockerfile
from pants_docker_buildkit.util_rules.image_lock import AppliedLock
from pants_docker_buildkit.util_rules.pinned_sources import PinnedSourcesRequest, pin_sources
from pants_docker_buildkit.util_rules.upstream_images import Upstream, find_archived_images
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargets,
    find_upstream_targets,
    read_upstream_dockerfiles,
)

_STANDS_FOR_TARGETS = "pants.invalid"


@dataclass(frozen=True)
class MovingSourcesRequest:
    """Asks what an image reads by names that move. What `kept` has is not looked up again."""

    field_set: BuildKitImageFieldSet
    kept: Lock


def _stand_in(address: Address) -> tuple[str, str]:
    """A reference that no image has, in place of the one that the image of a target will have."""
    digest = sha256_digest(address.spec.encode())
    return f"{_STANDS_FOR_TARGETS}/image@{digest}", digest


def _planned_images(
    address: Address, dockerfile: ImageDockerfile
) -> tuple[str, tuple[PlatformImage, ...]]:
    """What the image of a target will trigger, by the digest that stands for it."""
    _, digest = _stand_in(address)
    return digest, tuple(
        PlatformImage(
            platform,
            sha256_digest(f"{address.spec} {platform}".encode()),
            sha256_digest(b""),
            analysis.own_triggers,
        )
        for platform, analysis in zip(dockerfile.platforms, dockerfile.analyses)
    )


def _possible_archives(
    dockerfile: ImageDockerfile, targets: UpstreamTargets, images: Container[Address]
) -> list[Address]:
    """The targets whose files may be an image that a stage is based on."""
    bases = {stage.base.text for each in dockerfile.analyses for stage in each.stages}
    addresses = [address for name, address in targets.contexts if name in bases]
    addresses += [address for _, address in targets.arguments]
    return [each for each in dict.fromkeys(addresses) if each not in images]


async def _plan_upstream(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, targets: UpstreamTargets
) -> Upstream:
    """What other targets would give to the build, had they been built.

    An archive is there without being built, and what the image in it triggers is not known before.
    """
    dockerfiles = await read_upstream_dockerfiles(targets)
    archives = await find_archived_images(
        field_set, _possible_archives(dockerfile, targets, dockerfiles)
    )
    contexts = tuple(
        NamedContext(name, ContextKind.IMAGE, _stand_in(address)[0])
        if address in dockerfiles or address in archives
        else NamedContext(name, ContextKind.FILES)
        for name, address in targets.contexts
    )
    arguments = tuple((name, _stand_in(address)[0]) for name, address in targets.arguments)
    planned: dict[str, tuple[PlatformImage, ...]] = {
        _stand_in(address)[1]: () for address in targets.addresses
    }
    planned.update(_planned_images(*each) for each in dockerfiles.items())
    planned.update((_stand_in(each)[1], image.platforms) for each, image in archives.items())
    return Upstream(contexts, arguments, (), (), tuple(planned.items()))


def _names(dockerfile: ImageDockerfile) -> set[str]:
    """What a build reads from outside, by name."""
    names = set[str]()
    for analysis in dockerfile.analyses:
        names |= {each.reference for each in analysis.materials}
        names |= {each.url for stage in analysis.stages for each in stage.remote_sources}
    return names


def _depends_on_builder(
    dockerfile: ImageDockerfile,
    field_set: BuildKitImageFieldSet,
    upstream: Upstream,
    host: Platform,
) -> bool:
    """Whether builders of different platforms would read something else.

    `FROM --platform=$BUILDPLATFORM` reads the same by name, so that no builder has to be asked.
    """
    given = given_arguments(dockerfile, upstream).items()
    names = tuple(each.name for each in upstream.contexts)
    natives = dict.fromkeys((own_platform(host), *dockerfile.platforms))
    found = (
        _names(
            analyze_dockerfile(
                replace(dockerfile, build_platforms=(each,) * len(dockerfile.platforms)),
                field_set,
                given,
                names,
            )
        )
        for each in natives
    )
    first = next(found)
    return any(each != first for each in found)


@rule(desc="Find what an image reads by names that move")
async def find_moving_sources(
    request: MovingSourcesRequest, subsystem: DockerBuildKitSubsystem, host: Platform
) -> Lock:
    field_set, lock = request.field_set, AppliedLock(request.kept)
    of_context = Lock()
    if field_set.context.value:
        # What the Dockerfile of another commit names is not asked for.
        asked = ContextCommitRequest(field_set, lock)
        context = await find_context_commit(asked, **implicitly())
        if context.moves:
            of_context = Lock({}, {field_set.context.value: context.commit})
        pinned_context = type(field_set.context)(context.pinned_url, field_set.address)
        field_set = replace(field_set, context=pinned_context)
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    check_unset(field_set, dockerfile.build_args, dockerfile.parsed)
    targets = await find_upstream_targets(field_set, **implicitly())
    upstream = await _plan_upstream(field_set, dockerfile, targets)
    is_asked = _depends_on_builder(dockerfile, field_set, upstream, host)
    understood = await understand_dockerfile(
        field_set, dockerfile, targets, upstream, lock, asks_builder=is_asked
    )
    while (reaching := targets.reaching(understood.dockerfile.analyses)) != targets:
        targets = reaching
        upstream = await _plan_upstream(field_set, dockerfile, targets)
        understood = await understand_dockerfile(
            field_set, dockerfile, targets, upstream, lock, asks_builder=is_asked
        )
    pinned = await pin_sources(
        PinnedSourcesRequest(field_set, understood.dockerfile, understood.contexts, lock),
        subsystem,
    )
    return merge_locks((pinned.moving, of_context))
