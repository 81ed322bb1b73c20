"""What goes into a build, once every name in it stands for something that cannot change?"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.digests.context_digest import context_digest
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, RemoteKind
from pants_docker_buildkit.dockerfile.missing_sources import MissingSource, find_missing_source
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.dockerfile.scope import build_platform_values
from pants_docker_buildkit.dockerfile.stages import undeclared_build_args
from pants_docker_buildkit.errors import (
    InvalidImageFieldError,
    MissingContextFileError,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext, PinnedSource
from pants_docker_buildkit.util_rules.base_triggers import read_new_triggers
from pants_docker_buildkit.util_rules.build_context import (
    BuildContextRequest,
    ContextTree,
    assemble_build_context,
)
from pants_docker_buildkit.util_rules.build_platform import (
    BuildPlatformsRequest,
    find_build_platforms,
)
from pants_docker_buildkit.util_rules.context_providers import (
    MissingPathRequest,
    explain_missing_path,
)
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfile,
    ImageDockerfileRequest,
    analyze_dockerfile,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.image_lock import (
    AppliedLock,
    AppliedLockRequest,
    find_applied_lock,
)
from pants_docker_buildkit.util_rules.materials import image_materials
from pants_docker_buildkit.util_rules.pinned_sources import PinnedSourcesRequest, pin_sources
from pants_docker_buildkit.util_rules.unowned_files import (
    UnownedFilesRequest,
    copied_directories,
    find_unowned_files,
)
from pants_docker_buildkit.util_rules.upstream_images import (
    Upstream,
    UpstreamRequest,
    prepare_upstream,
)
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargets,
    UpstreamTargetsRequest,
    find_upstream_targets,
    reached_contexts,
)
from pants_docker_buildkit.util_rules.user_policy import find_user_policy

logger = logging.getLogger(__name__)

_FEW = 3


@dataclass(frozen=True)
class ImageInputsRequest:
    """Asks for everything that goes into the build of a target.

    Another `attempt` asks again what URLs give.
    """

    field_set: BuildKitImageFieldSet
    attempt: int = 0


@dataclass(frozen=True)
class ImageInputs:
    """Everything that goes into a build, pinned.

    `sources` are all that it may read from outside, frontend included. `analysis` is that of the
    first platform. `materials` are what is read from outside, as people know it, for all platforms.
    `build_platforms` are pairs of a platform and that of its builder, where no
    build argument can say it.
    """

    dockerfile: ImageDockerfile
    analysis: DockerfileAnalysis
    context: ContextTree
    upstream: Upstream
    build_args: tuple[tuple[str, str], ...]
    named_contexts: tuple[NamedContext, ...]
    sources: tuple[PinnedSource, ...]
    build_platforms: tuple[tuple[str, str], ...]
    materials: tuple[BuildMaterial, ...]

    @property
    def context_digest(self) -> str:
        """The digest of the files that the build sees."""
        named = {name: tree.entries for name, tree in self.upstream.named_files}
        return context_digest(self.context.entries, named)


async def _missing_file(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    missing: MissingSource,
    context: ContextTree,
) -> MissingContextFileError:
    """Which dependency is missing, rather than have BuildKit say which file is."""
    path = posixpath.normpath(posixpath.join(context.root, missing.path))
    explained = await explain_missing_path(MissingPathRequest(path), **implicitly())
    return MissingContextFileError(
        field_set.address, dockerfile.name, missing, context.outside, explained.advice
    )


async def _tell_of_unowned_files(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    analyses: Iterable[DockerfileAnalysis],
    context: ContextTree,
) -> None:
    """Say which files of copied directories are left out, where no target has them."""
    copied = (
        source.path
        for analysis in analyses
        for source in analysis.context_paths
        if source.path is not None and not (source.has_wildcard or source.has_exclusions)
    )
    directories = copied_directories(copied, (entry.path for entry in context.entries))
    if not directories:
        return
    unowned = await find_unowned_files(
        UnownedFilesRequest(directories, context.root, dockerfile.path), **implicitly()
    )
    if unowned.paths:
        shown = ", ".join(unowned.paths[:_FEW])
        more = f" and {len(unowned.paths) - _FEW} more" if len(unowned.paths) > _FEW else ""
        logger.warning(
            f"{dockerfile.name} of {field_set.address} copies directories with files that no target"
            f" owns: {shown}{more}. They are not in the image. Add them to a `files` target, or"
            " name them in the ignore file."
        )


@dataclass(frozen=True)
class Replacements:
    """What stands in place of what a Dockerfile and the fields name.

    `given` are build arguments, `contexts` those of `upstream` and those that the target writes.
    """

    given: Mapping[str, str]
    upstream: Upstream
    contexts: tuple[NamedContext, ...]
    lock: AppliedLock


async def understand_dockerfile(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    replaced: Replacements,
    *,
    asks_builder: bool = True,
) -> tuple[ImageDockerfile, tuple[DockerfileAnalysis, ...], frozenset[str]]:
    """What a Dockerfile needs, now that addresses are replaced by what they stand for.

    What its bases trigger is part of it, and may need stages whose bases trigger something again.
    And the names of `BUILD_PLATFORM_ARGUMENTS` that it uses.
    """
    names = tuple(each.name for each in replaced.upstream.contexts)
    used = frozenset[str]()
    is_asked = not asks_builder
    while True:
        analyses = analyze_dockerfile(dockerfile, field_set, replaced.given.items(), names)
        used = used.union(*(each.builder_arguments for each in analyses))
        if used and not is_asked:
            asked = BuildPlatformsRequest(field_set, dockerfile.platforms)
            natives = (await find_build_platforms(asked, **implicitly())).natives
            dockerfile, is_asked = replace(dockerfile, build_platforms=natives), True
            continue
        found = await read_new_triggers(
            analyses, dockerfile, replaced.contexts, replaced.upstream, replaced.lock
        )
        if not any(each.triggers for each in found):
            return dockerfile, analyses, used
        known = dockerfile.parsed.image_triggers
        parsed = replace(dockerfile.parsed, image_triggers=(*known, *found))
        dockerfile = replace(dockerfile, parsed=parsed)


def written_contexts(targets: UpstreamTargets) -> tuple[NamedContext, ...]:
    """The images, URLs and repositories that `build_contexts` names itself."""
    return (
        *(NamedContext(name, ContextKind.IMAGE, value) for name, value in targets.images),
        *(_remote_context(name, url) for name, url in targets.remote),
    )


def _remote_context(name: str, url: str) -> NamedContext:
    is_git = remote_kind(url) is RemoteKind.GIT
    return NamedContext(name, ContextKind.GIT if is_git else ContextKind.URL, url)


@rule(desc="Resolve inputs of image build")
async def resolve_image_inputs(request: ImageInputsRequest) -> ImageInputs:
    field_set = request.field_set
    dockerfile = await read_image_dockerfile(ImageDockerfileRequest(field_set), **implicitly())
    targets, context, upstream = await concurrently(
        find_upstream_targets(UpstreamTargetsRequest(field_set), **implicitly()),
        assemble_build_context(BuildContextRequest(field_set), **implicitly()),
        prepare_upstream(UpstreamRequest(field_set), **implicitly()),
    )
    given = {**dict(dockerfile.build_args.values), **dict(upstream.build_args)}
    named_contexts = (*upstream.contexts, *written_contexts(targets))
    lock = await find_applied_lock(AppliedLockRequest(field_set), **implicitly())
    dockerfile, analyses, used = await understand_dockerfile(
        field_set, dockerfile, Replacements(given, upstream, named_contexts, lock)
    )
    reached = reached_contexts((each.name for each in named_contexts), analyses)
    named_contexts = tuple(each for each in named_contexts if each.name in reached)
    build_args = _declared_build_args(field_set, dockerfile, analyses, given)
    if used:
        build_args = {**_build_platform_args(dockerfile, analyses), **build_args}
    for analysis in analyses:
        missing = find_missing_source(analysis, context.entries)
        if missing is not None:
            raise await _missing_file(field_set, dockerfile, missing, context)
    await _tell_of_unowned_files(field_set, dockerfile, analyses, context)
    pinned = await pin_sources(
        PinnedSourcesRequest(
            field_set, dockerfile, analyses, named_contexts, lock, request.attempt
        ),
        **implicitly(),
    )
    user_policy = await find_user_policy(**implicitly())
    user_policy.check(field_set.address, pinned.all)
    return ImageInputs(
        dockerfile=dockerfile,
        analysis=analyses[0],
        context=context,
        upstream=upstream.reaching(reached),
        build_args=tuple(sorted(build_args.items())),
        named_contexts=tuple(sorted(named_contexts)),
        sources=pinned.all,
        build_platforms=() if used <= build_args.keys() else _build_platforms(dockerfile),
        materials=image_materials(pinned.all, named_contexts, zip(dockerfile.platforms, analyses)),
    )


def _build_platforms(dockerfile: ImageDockerfile) -> tuple[tuple[str, str], ...]:
    pairs = zip(map(str, dockerfile.platforms), map(str, dockerfile.build_platforms))
    return tuple(sorted(pairs))


def _build_platform_args(
    dockerfile: ImageDockerfile, analyses: Iterable[DockerfileAnalysis]
) -> dict[str, str]:
    """What the Dockerfile sees of its builder, as arguments: so any builder makes the same image.

    A build has one set of arguments, and they win over an `ARG` with a value of its own. What they
    cannot say is checked where it is built: `solver/build_platforms.py`.
    """
    native, *others = dict.fromkeys(dockerfile.build_platforms)
    if others:
        return {}
    defaults = frozenset().union(*(each.defaults for each in analyses))
    values = build_platform_values(native)
    return {name: value for name, value in values.items() if name not in defaults}


def _declared_build_args(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    analyses: Iterable[DockerfileAnalysis],
    given: Mapping[str, str],
) -> dict[str, str]:
    """The arguments that the Dockerfile declares; an own one that it does not is an error."""
    undeclared = set(given)
    for analysis in analyses:
        undeclared &= set(undeclared_build_args(analysis, given))
    for name in sorted(undeclared.difference(dockerfile.build_args.shared)):
        raise InvalidImageFieldError(
            field_set.build_args.alias,
            field_set.address,
            "only hold arguments that the Dockerfile declares",
            f"no `ARG` of {dockerfile.name} that the build reaches declares {name!r}",
            f"Add 'ARG {name}' to it, or remove the argument.",
        )
    return {name: value for name, value in given.items() if name not in undeclared}


def rules() -> Iterable[Rule]:
    return collect_rules()
