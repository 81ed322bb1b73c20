"""What goes into a build, once every name in it stands for something that cannot change?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.digests.context_digest import context_digest
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis
from pants_docker_buildkit.dockerfile.missing_sources import find_missing_source
from pants_docker_buildkit.dockerfile.stages import undeclared_build_args
from pants_docker_buildkit.errors import (
    InvalidImageFieldError,
    MissingContextFileError,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext, PinnedSource
from pants_docker_buildkit.util_rules.build_context import (
    BuildContextRequest,
    ContextTree,
    assemble_build_context,
)
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfile,
    ImageDockerfileRequest,
    analyze_dockerfile,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.pinned_sources import PinnedSourcesRequest, pin_sources
from pants_docker_buildkit.util_rules.upstream_images import (
    Upstream,
    UpstreamRequest,
    prepare_upstream,
)
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargetsRequest,
    find_upstream_targets,
)


@dataclass(frozen=True)
class ImageInputsRequest:
    """Asks for everything that goes into the build of a target."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class ImageInputs:
    """Everything that goes into a build, pinned.

    `sources` are all that it may read from outside, frontend included. `analysis` is that of the
    first platform.
    """

    dockerfile: ImageDockerfile
    analysis: DockerfileAnalysis
    context: ContextTree
    upstream: Upstream
    build_args: tuple[tuple[str, str], ...]
    named_contexts: tuple[NamedContext, ...]
    sources: tuple[PinnedSource, ...]

    @property
    def context_digest(self) -> str:
        """The digest of the files that the build sees."""
        named = {name: tree.entries for name, tree in self.upstream.named_files}
        return context_digest(self.context.entries, named)


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
    # Now that addresses are replaced by what they stand for, the images that are left are real.
    analyses = analyze_dockerfile(
        dockerfile, field_set, given.items(), (each.name for each in upstream.contexts)
    )
    build_args = _declared_build_args(field_set, dockerfile, analyses, given)
    _check_context_paths(field_set, dockerfile, analyses, context)
    named_contexts = (
        *upstream.contexts,
        *(NamedContext(name, ContextKind.IMAGE, value) for name, value in targets.images),
        *(NamedContext(name, ContextKind.GIT, value) for name, value in targets.git),
    )
    pinned = await pin_sources(
        PinnedSourcesRequest(field_set, dockerfile, analyses, named_contexts), **implicitly()
    )
    return ImageInputs(
        dockerfile=dockerfile,
        analysis=analyses[0],
        context=context,
        upstream=upstream,
        build_args=tuple(sorted(build_args.items())),
        named_contexts=tuple(sorted(named_contexts)),
        sources=pinned.all,
    )


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


def _check_context_paths(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    analyses: Iterable[DockerfileAnalysis],
    context: ContextTree,
) -> None:
    """Say which dependency is missing, rather than have BuildKit say which file is."""
    for analysis in analyses:
        missing = find_missing_source(analysis, context.entries)
        if missing is not None:
            raise MissingContextFileError(
                field_set.address, dockerfile.name, missing, context.outside
            )


def rules() -> Iterable[Rule]:
    return collect_rules()
