"""Which platform has the builder of an image, for Dockerfiles that use it?"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass

from pants.engine.platform import Platform

from pants_docker_buildkit.buildx.environment import CLUSTER_VARIABLES
from pants_docker_buildkit.buildx.native_platform import native_platforms
from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import BuilderNotAskedError, InvalidOptionError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.build_platforms import parse_nodes
from pants_docker_buildkit.solver.builder_pool import home_endpoint
from pants_docker_buildkit.solver.main import PLATFORMS_COMMAND
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.builders import read_described_builders
from pants_docker_buildkit.util_rules.cached_answer import (
    CachedAnswer,
    CachedAnswerRequest,
    ask_once,
)
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironment,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.session import running_session

logger = logging.getLogger(__name__)

_SELECTS_A_BUILDER = (
    *("HOME", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST"),
    *("BUILDX_BUILDER", "BUILDX_CONFIG", "KUBECONFIG"),
    *CLUSTER_VARIABLES,
)


@dataclass(frozen=True)
class BuildPlatformsRequest:
    """Asks which platform the builder of a target has, for each of these target platforms."""

    field_set: BuildKitImageFieldSet
    targets: tuple[ImagePlatform, ...]


@dataclass(frozen=True)
class BuildPlatforms(MayHaveFailed):
    """The platform of the node that builds, for each of the target platforms.

    With a `problem` it is a guess.
    """

    natives: tuple[ImagePlatform, ...]
    problem: str = ""


def chosen_build_platform(text: str | None) -> ImagePlatform | None:
    """What the option `build_platform` says."""
    try:
        return ImagePlatform.parse(text) if text else None
    except InvalidImagePlatformError as e:
        raise InvalidOptionError("build_platform", e.requirement, f"{e.text!r} is not one") from e


def own_platform(host: Platform) -> ImagePlatform:
    """The platform of images that run here without emulation."""
    return ImagePlatform("linux", "arm64" if host.value.endswith("arm64") else "amd64")


def _read(answer: CachedAnswer, targets: tuple[ImagePlatform, ...]) -> tuple[ImagePlatform, ...]:
    try:
        return () if answer.problem else native_platforms(parse_nodes(answer.content), targets)
    except ValueError as e:
        logger.debug(f"What was cached of a builder cannot be read: {e}")
        return ()


@rule(desc="Find platform of builder")
async def find_build_platforms(
    request: BuildPlatformsRequest, subsystem: DockerBuildKitSubsystem, host: Platform
) -> BuildPlatforms:
    chosen = chosen_build_platform(subsystem.build_platform)
    if chosen is not None:
        return BuildPlatforms((chosen,) * len(request.targets))
    docker = await resolve_docker_environment(**implicitly())
    builders = await read_described_builders(**implicitly())
    name = request.field_set.builder.value or subsystem.builder
    settings = BuildSettings(
        target=request.field_set.address.spec,
        builder=name,
        described_builder=builders.find(name),
    )
    targets = tuple(map(str, request.targets))
    key = _key(settings, targets, docker)
    running = await running_session()
    is_plan = running.is_plan
    if not is_plan:
        running.answers.add_build(key, settings)
    description = f"Ask for the platform of the builder {name or 'in use'}"
    question = CachedAnswerRequest(
        PLATFORMS_COMMAND, (key, *targets), description, only_looks_up=is_plan
    )
    answer = await ask_once(question, **implicitly())
    natives = _read(answer, request.targets)
    if natives:
        return BuildPlatforms(natives)
    if is_plan:
        raise BuilderNotAskedError(request.field_set.address, name)
    own, problem = own_platform(host), answer.problem or "It did not name its platforms."
    logger.info(
        f"{request.field_set.address} uses the platform of its builder, which is taken to be {own},"
        f" as nobody says otherwise. '[docker-buildkit].build_platform' may. {problem}"
    )
    return BuildPlatforms((own,) * len(request.targets), problem)


def _key(settings: BuildSettings, targets: tuple[str, ...], docker: DockerEnvironment) -> str:
    """What selects the builder on this machine: a builder is asked once, not in each session.

    Of a pool it is the endpoint that will build the image.

    One that changes its platform under the same name is asked too late. That makes no other image:
    what the key says is what the build is given.
    """
    variables = dict(docker.variables)
    document = {
        "machine": [os.uname().nodename, os.uname().machine],
        "builder": settings.builder,
        "description": settings.described_builder and asdict(settings.described_builder),
        "endpoint": home_endpoint(settings, targets),
        "variables": [variables.get(each) for each in _SELECTS_A_BUILDER],
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]
