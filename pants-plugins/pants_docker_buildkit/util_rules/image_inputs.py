"""What goes into a build, once every name in it stands for something that cannot change?"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pants.engine.platform import Platform

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.digests.context_digest import context_digest
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, OriginKind, RemoteKind
from pants_docker_buildkit.dockerfile.ignorefile import ignore_file_candidates
from pants_docker_buildkit.dockerfile.missing_sources import MissingSource, find_missing_source
from pants_docker_buildkit.dockerfile.parser import KnownBase
from pants_docker_buildkit.dockerfile.reached_paths import reached_paths, select_reached
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind
from pants_docker_buildkit.dockerfile.scope import build_platform_values
from pants_docker_buildkit.dockerfile.stages import undeclared_build_args
from pants_docker_buildkit.errors import MissingContextFileError
from pants_docker_buildkit.fields.build_context import ContextInputs
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.listing import list_few
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext, PinnedSource
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_configs import read_new_bases
from pants_docker_buildkit.util_rules.build_args import check_unset
from pants_docker_buildkit.util_rules.build_context import ContextTree, assemble_build_context
from pants_docker_buildkit.util_rules.build_platform import (
    BuildPlatformsRequest,
    find_build_platforms,
)
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfile,
    analyze_dockerfile,
    for_one_platform,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.image_archives import looks_like_archive
from pants_docker_buildkit.util_rules.image_lock import AppliedLock, find_applied_lock
from pants_docker_buildkit.util_rules.image_names import output_of_run
from pants_docker_buildkit.util_rules.materials import image_materials
from pants_docker_buildkit.util_rules.missing_paths import MissingPathRequest, explain_missing_path
from pants_docker_buildkit.util_rules.pinned_sources import PinnedSourcesRequest, pin_sources
from pants_docker_buildkit.util_rules.policies import Policies, read_policies
from pants_docker_buildkit.util_rules.unowned_files import (
    UnownedFilesRequest,
    copied_directories,
    copied_patterns,
    find_unowned_files,
)
from pants_docker_buildkit.util_rules.upstream_images import (
    NO_UPSTREAM,
    Upstream,
    UpstreamRequest,
    prepare_upstream,
)
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargets,
    find_upstream_targets,
    reached_contexts,
)
from pants_docker_buildkit.util_rules.user_policy import find_user_policy

logger = logging.getLogger(__name__)

_FEW = 3


@dataclass(frozen=True)
class ImageInputs:
    """Everything that goes into a build, pinned.

    `context` has what it reads of that only, if `context_paths` are not `None`: they are what
    BuildKit may ask for. `context_digest` is that of the files that the build sees. `sources` are
    all that it may read from outside, frontend included.
    `materials` are that as people know it, for all platforms.
    `build_platforms` are pairs of a platform and that of its builder, where no
    build argument can say it. `platform_of_base` is what the image gets from what it is based on,
    where that is not the platform that it is built for.
    """

    dockerfile: ImageDockerfile
    context: ContextTree
    context_paths: tuple[str, ...] | None
    context_digest: str
    upstream: Upstream
    build_args: tuple[tuple[str, str], ...]
    named_contexts: tuple[NamedContext, ...]
    sources: tuple[PinnedSource, ...]
    build_platforms: tuple[tuple[str, str], ...]
    platform_of_base: str | None
    materials: tuple[BuildMaterial, ...]
    policies: Policies

    @property
    def analysis(self) -> DockerfileAnalysis:
        """What the Dockerfile needs for the first platform."""
        return self.dockerfile.analyses[0]


async def _missing_file(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    missing: MissingSource,
    context: ContextTree,
) -> MissingContextFileError:
    """Which dependency is missing, rather than have BuildKit say which file is."""
    advice = f"It is not in {redact(field_set.context.value or '')}."
    if not field_set.context.value:
        path = posixpath.normpath(posixpath.join(context.root, missing.path))
        ignore_files = ignore_file_candidates(dockerfile.path, context.root)
        request = MissingPathRequest(path, context.root, ignore_files)
        advice = (await explain_missing_path(request, **implicitly())).advice
    return MissingContextFileError(
        field_set.address, dockerfile.name, missing, context.outside, advice
    )


async def tell_of_context(field_set: BuildKitImageFieldSet, inputs: ImageInputs) -> None:
    """Say what plain buildx would copy of this repository, and the context does not have."""
    if not field_set.context.value:
        _tell_of_empty_context(field_set, inputs.dockerfile, inputs.context)
        await _tell_of_unowned_files(field_set, inputs.dockerfile, inputs.context)


def _tell_of_empty_context(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, context: ContextTree
) -> None:
    """Say where the files are, if `COPY .` copies none: plain buildx wants that directory there."""
    if context.entries or not context.outside:
        return
    copied = {each.path for analysis in dockerfile.analyses for each in analysis.context_paths}
    if "." not in copied:
        return
    logger.warning(
        f"{dockerfile.name} of {field_set.address} copies its context, which is empty:"
        f" `{field_set.context_root.alias}` leads to {context.root!r}, and files of its"
        f" dependencies lie elsewhere, such as {', '.join(context.outside)}. A path that begins"
        " with './' is relative to the BUILD file."
    )


async def _tell_of_unowned_files(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    context: ContextTree,
) -> None:
    """Say which files that are copied, but not by their names, no target gives."""
    sources = [source for each in dockerfile.analyses for source in each.context_paths]
    copied = (
        source.path
        for source in sources
        if source.path is not None and not (source.has_wildcard or source.has_exclusions)
    )
    directories = copied_directories(copied, (entry.path for entry in context.entries))
    patterns = copied_patterns(sources)
    if not (directories or patterns):
        return
    request = UnownedFilesRequest(directories, patterns, context.root, dockerfile.path)
    unowned = await find_unowned_files(request, **implicitly())
    if unowned.paths:
        logger.warning(
            f"{dockerfile.name} of {field_set.address} copies files that no target puts into a"
            f" context: {list_few(unowned.paths, _FEW)}. They are not in the image. Add them to a"
            " `files` target, or name them in the ignore file."
        )


@dataclass(frozen=True)
class Understanding:
    """What a Dockerfile is, once it is known what stands for all that it and the fields name.

    `given` are the build arguments, which it need not declare, `contexts` those that it uses.
    `builder_arguments` are those that have their values from the builder. `base_platform` is the
    one that a build for the first platform gets from what it is based on; `None` from nothing.
    """

    dockerfile: ImageDockerfile
    given: Mapping[str, str]
    contexts: tuple[NamedContext, ...]
    builder_arguments: frozenset[str]
    base_platform: ImagePlatform | None


async def understand_dockerfile(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    targets: UpstreamTargets,
    upstream: Upstream,
    lock: AppliedLock,
    *,
    asks_builder: bool = True,
) -> Understanding:
    """What a Dockerfile needs, now that addresses are replaced by what they stand for.

    What its bases trigger is part of it, and may need stages whose bases trigger something again.
    And the names of `BUILD_PLATFORM_ARGUMENTS` that it uses.
    """
    given = given_arguments(dockerfile, upstream)
    unknown = dockerfile.names_out_of_reach.keys() - dict(upstream.build_args).keys()
    contexts = (*upstream.contexts, *_written_contexts(targets))
    names = tuple(each.name for each in upstream.contexts)
    used = frozenset[str]()
    is_asked = not asks_builder
    # As it was read, it was analysed with its own arguments.
    is_current = not names and given == dict(dockerfile.build_args.values)
    while True:
        if not is_current:
            dockerfile = analyze_dockerfile(dockerfile, field_set, given.items(), names)
        is_current = False
        used = used.union(*(each.builder_arguments for each in dockerfile.analyses))
        if used and not is_asked:
            asked = BuildPlatformsRequest(field_set, dockerfile.platforms)
            natives = (await find_build_platforms(asked, **implicitly())).natives
            dockerfile, is_asked = replace(dockerfile, build_platforms=natives), True
            continue
        found = await read_new_bases(dockerfile, contexts, upstream, lock)
        if all(each.triggers == () for each in found):
            break
        known = dockerfile.parsed.known_bases
        parsed = replace(dockerfile.parsed, known_bases=(*known, *found))
        dockerfile = replace(dockerfile, parsed=parsed)
    _refuse_unknown(field_set, dockerfile, unknown)
    reached = reached_contexts((each.name for each in contexts), dockerfile.analyses)
    contexts = tuple(each for each in contexts if each.name in reached)
    base_platform = _base_platform(dockerfile, found)
    return Understanding(dockerfile, given, contexts, used, base_platform)


def _refuse_unknown(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, arguments: set[str]
) -> None:
    """Notice where a trigger reaches a stage after it was known which targets are needed."""
    for analysis in dockerfile.analyses:
        for origin in analysis.origins:
            for name in arguments.intersection(origin.arguments):
                reason = (
                    f"line {origin.line} needs the target that ARG {name} names, but only what a"
                    " base image triggers (ONBUILD) needs that stage"
                )
                advice = "Name the target in `build_contexts`, and that name in the FROM."
                raise dockerfile.error(field_set, reason, advice)


def _base_platform(
    dockerfile: ImageDockerfile, last_found: tuple[KnownBase, ...]
) -> ImagePlatform | None:
    """The platform that BuildKit has from the base of the target, unless it is told one."""
    base = dockerfile.analyses[0].final_base
    if base is None:
        return None
    found = (*dockerfile.parsed.known_bases, *last_found)
    own = {(each.name, each.platform): each.own_platform for each in found}
    # A named context of files is for the platform that its `FROM` says.
    is_files = base.kind is OriginKind.NAMED_CONTEXT
    return own.get((base.text, base.platform), base.platform if is_files else None)


def _platform_of_base(
    field_set: BuildKitImageFieldSet, understood: Understanding, subsystem: DockerBuildKitSubsystem
) -> str | None:
    """The platform that plain buildx gives the image, if it builds it for another one."""
    if field_set.platforms_field.value or subsystem.default_platforms:
        return None
    base, own = understood.base_platform, understood.dockerfile.platforms[0]
    if base is None or (base.os, base.architecture) == (own.os, own.architecture):
        return None
    return str(base)


def given_arguments(dockerfile: ImageDockerfile, upstream: Upstream) -> dict[str, str]:
    """All build arguments, with what the images of targets are called by now."""
    return {
        **dict(dockerfile.build_args.values),
        **dockerfile.names_out_of_reach,
        **dict(upstream.build_args),
    }


def _written_contexts(targets: UpstreamTargets) -> tuple[NamedContext, ...]:
    """The images, URLs and repositories that `build_contexts` names itself."""
    return (
        *(NamedContext(name, ContextKind.IMAGE, value) for name, value in targets.images),
        *(_remote_context(name, url) for name, url in targets.remote),
    )


def _remote_context(name: str, url: str) -> NamedContext:
    is_git = remote_kind(url) is RemoteKind.GIT
    return NamedContext(name, ContextKind.GIT if is_git else ContextKind.URL, url)


def _reached_context(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    context: ContextTree,
    policies: Policies,
) -> tuple[ContextTree, tuple[str, ...] | None]:
    """What a build reads of its context, and the paths that it reaches it by.

    All of it, and `None`, where anything may be read. buildx lets policies look into the context.
    """
    is_all = field_set.context_inputs.value != ContextInputs.REACHED.value or policies.files
    paths = None if is_all else reached_paths(dockerfile.analyses)
    selected = None if paths is None else select_reached(context.entries, paths)
    if selected is None:
        return context, None
    return replace(context, entries=selected), paths


async def _understand_all(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    targets: UpstreamTargets,
    upstream: Upstream,
    lock: AppliedLock,
) -> tuple[Understanding, Upstream]:
    """What a Dockerfile needs, with what the targets give that only triggers of its bases use."""
    understood = await understand_dockerfile(field_set, dockerfile, targets, upstream, lock)
    while (reaching := targets.reaching(understood.dockerfile.analyses)) != targets:
        targets = reaching
        asked = UpstreamRequest(field_set, targets)
        upstream = await prepare_upstream(asked, **implicitly())
        understood = await understand_dockerfile(field_set, dockerfile, targets, upstream, lock)
    return understood, upstream


async def find_inputs(
    field_set: BuildKitImageFieldSet,
    attempt: int,
    subsystem: DockerBuildKitSubsystem,
    host: Platform,
) -> ImageInputs:
    """Everything that goes into the build of a target. Another `attempt` asks URLs again."""
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    check_unset(field_set, dockerfile.build_args, dockerfile.parsed)
    if output_of_run(field_set, subsystem.output) is ImageOutput.DOCKER:
        dockerfile = for_one_platform(dockerfile, host)
    targets = await find_upstream_targets(field_set, **implicitly())
    if targets.addresses or targets.copied:
        context, upstream = await concurrently(
            assemble_build_context(field_set, **implicitly()),
            prepare_upstream(UpstreamRequest(field_set, targets), **implicitly()),
        )
    else:
        context, upstream = await assemble_build_context(field_set, **implicitly()), NO_UPSTREAM
    lock = await find_applied_lock(field_set, subsystem)
    understood, upstream = await _understand_all(field_set, dockerfile, targets, upstream, lock)
    dockerfile, named_contexts = understood.dockerfile, understood.contexts
    _refuse_other_archives(field_set, dockerfile, upstream)
    build_args = _declared_build_args(field_set, understood)
    if understood.builder_arguments:
        build_args = {**_build_platform_args(dockerfile), **build_args}
    for analysis in dockerfile.analyses:
        missing = find_missing_source(analysis, context.entries)
        if missing is not None:
            raise await _missing_file(field_set, dockerfile, missing, context)
    pinned = await pin_sources(
        PinnedSourcesRequest(field_set, dockerfile, named_contexts, lock, attempt),
        subsystem,
    )
    user_policy = await find_user_policy(**implicitly())
    user_policy.check(field_set.address, pinned.all)
    policies = await read_policies(dockerfile.path, subsystem)
    context, context_paths = _reached_context(field_set, dockerfile, context, policies)
    upstream = upstream.reaching([each.name for each in named_contexts])
    named_files = {name: tree.entries for name, tree in upstream.named_files}
    return ImageInputs(
        dockerfile=dockerfile,
        context=context,
        context_paths=context_paths,
        context_digest=context_digest(context.entries, named_files),
        upstream=upstream,
        build_args=tuple(sorted(build_args.items())),
        named_contexts=tuple(sorted(named_contexts)),
        sources=pinned.all,
        build_platforms=(
            ()
            if understood.builder_arguments <= build_args.keys()
            else _build_platforms(dockerfile)
        ),
        platform_of_base=_platform_of_base(field_set, understood, subsystem),
        materials=image_materials(pinned.all, named_contexts, dockerfile),
        policies=policies,
    )


@rule(desc="Resolve inputs of image build")
async def resolve_image_inputs(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem, host: Platform
) -> ImageInputs:
    """For who defines no build."""
    return await find_inputs(field_set, 0, subsystem, host)


def _refuse_other_archives(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, upstream: Upstream
) -> None:
    """Refuse a tar that is no image archive, or half of one, as the root file system of an image.

    BuildKit would take it for a directory that has the tar in it.
    """
    archives = {name for name, tree in upstream.named_files if looks_like_archive(tree.entries)}
    for analysis in dockerfile.analyses:
        for origin in analysis.outside_bases:
            if origin.text in archives:
                raise field_set.error(
                    field_set.build_contexts,
                    f"name an image for {origin.text!r}, because line {origin.line} of"
                    f" {dockerfile.name} is based on it",
                    "its one file holds no image, or is damaged or compressed",
                    "Save it again as a tar without compression, as with `docker save`.",
                )


def _build_platforms(dockerfile: ImageDockerfile) -> tuple[tuple[str, str], ...]:
    pairs = zip(map(str, dockerfile.platforms), map(str, dockerfile.build_platforms))
    return tuple(sorted(pairs))


def _build_platform_args(dockerfile: ImageDockerfile) -> dict[str, str]:
    """What the Dockerfile sees of its builder, as arguments: so any builder makes the same image.

    A build has one set of arguments, and they win over an `ARG` with a value of its own. What they
    cannot say is checked where it is built: `solver/build_platforms.py`.
    """
    native, *others = dict.fromkeys(dockerfile.build_platforms)
    if others:
        return {}
    defaults = frozenset().union(*(each.defaults for each in dockerfile.analyses))
    values = build_platform_values(native)
    return {name: value for name, value in values.items() if name not in defaults}


def _declared_build_args(
    field_set: BuildKitImageFieldSet, understood: Understanding
) -> dict[str, str]:
    """The arguments that the Dockerfile declares.

    An own one that it does not is an error, unless a name of the image is made of it, or it is for
    another stage of those that are images.
    """
    dockerfile, given = understood.dockerfile, understood.given
    undeclared = set(given)
    for analysis in dockerfile.analyses:
        undeclared &= set(undeclared_build_args(analysis, given))
    texts = (*(field_set.image_tags.value or ()), field_set.repository.value or "")
    in_names = {
        name
        for name in undeclared
        if any(f"{{build_args.{name}{end}" in text for text in texts for end in "}:")
    }
    elsewhere = dockerfile.parsed.argument_names if field_set.address.is_generated_target else ()
    known = (dockerfile.build_args.shared, in_names, elsewhere)
    for name in sorted(undeclared.difference(*known)):
        raise field_set.error(
            field_set.build_args,
            "only hold arguments that the Dockerfile declares",
            f"no `ARG` of {dockerfile.name} that the build reaches declares {name!r}",
            f"Add 'ARG {name}' to it, or remove the argument.",
        )
    return {name: value for name, value in given.items() if name not in undeclared}
