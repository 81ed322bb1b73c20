"""Which targets do `FROM`, `ARG`, `COPY` and `RUN --mount` refer to?"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from pants.engine.addresses import Address
from pants.engine.target import InferDependenciesRequest, InferredDependencies

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.dockerfile.parser import KnownBase
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_context import explicit_dependencies
from pants_docker_buildkit.util_rules.context_providers import (
    ContentPathsRequest,
    WildcardRequest,
    content_paths,
    find_content_paths,
    find_context_providers,
    find_wildcard_providers,
)
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfile,
    analyze_dockerfile,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.input_files import find_image_input_files
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargets,
    find_upstream_targets,
    read_upstream_dockerfiles,
    targets_at,
)

_MANY_TARGETS = 100
"""So many files of one address are worth a node of Pants' graph, for images that share them."""


class InferImageDependencies(InferDependenciesRequest):
    """Asks what an image target depends on by its Dockerfile."""

    infer_from = BuildKitImageFieldSet


async def _understand(
    field_set: BuildKitImageFieldSet, dockerfile: ImageDockerfile, upstream: UpstreamTargets
) -> ImageDockerfile:
    """What the Dockerfile needs, with what images of this repository trigger that it is based on.

    Their Dockerfiles say that. Of other images only their registries know it, which are not asked
    before something is built.
    """
    bases = await read_upstream_dockerfiles(upstream)
    addresses = dict(upstream.contexts)
    targets = dict(upstream.arguments)
    for analysis in dockerfile.analyses:
        for argument in analysis.image_arguments:
            if argument.value and argument.name in targets:
                addresses[argument.value] = targets[argument.name]
    found = {
        (origin.text, origin.platform): _triggers(bases[addresses[origin.text]], origin.platform)
        for analysis in dockerfile.analyses
        for origin in analysis.outside_bases
        if addresses.get(origin.text) in bases
    }
    if not any(found.values()):
        return dockerfile
    known = tuple(KnownBase(*key, each) for key, each in found.items())
    parsed = replace(dockerfile.parsed, known_bases=known)
    arguments = dockerfile.build_args.values
    return analyze_dockerfile(replace(dockerfile, parsed=parsed), field_set, arguments)


def _triggers(base: ImageDockerfile, platform: ImagePlatform | None) -> tuple[str, ...]:
    """What an image has those do that are based on it, as far as its Dockerfile says it."""
    position = base.platforms.index(platform) if platform in base.platforms else 0
    return base.analyses[position].own_triggers


async def _not_given(field_set: BuildKitImageFieldSet, wanted: set[str]) -> set[str]:
    """Of these paths, those that are no files of the targets which `dependencies` names."""
    explicit = explicit_dependencies(field_set)
    if not (wanted and explicit.values):
        return wanted
    addresses = await resolve_unparsed_address_inputs(explicit, **implicitly())
    for address, targets in (await targets_at(addresses)).items():
        if len(targets) < _MANY_TARGETS:
            given = frozenset(path for target in targets for path in content_paths(target))
        else:
            given = (await find_content_paths(ContentPathsRequest(address), **implicitly())).all
        wanted = wanted - given
    return wanted


async def _provide(
    field_set: BuildKitImageFieldSet, root: str, wanted: set[str], patterns: Sequence[str]
) -> set[Address]:
    """The targets that provide what is wanted of a context.

    All targets of the repository are looked at only for what the dependencies do not give that are
    written down: whoever wrote them asks for no BUILD file elsewhere.
    """
    missing = await _not_given(field_set, wanted)
    if not (missing or patterns):
        return set()
    providers = await find_context_providers(**implicitly())
    found = await concurrently(
        find_wildcard_providers(WildcardRequest(root, each), **implicitly()) for each in patterns
    )
    return set(providers.providing(missing)).union(*(each.addresses for each in found))


@rule(desc="Infer dependencies of images")
async def infer_image_dependencies(
    request: InferImageDependencies, subsystem: DockerBuildKitSubsystem
) -> InferredDependencies:
    field_set = request.field_set
    upstream = await find_upstream_targets(field_set, **implicitly())
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    if upstream.addresses:
        dockerfile = await _understand(field_set, dockerfile, upstream)
        upstream = upstream.reaching(dockerfile.analyses)
    root = field_set.context_directory(subsystem.default_context_root)
    # Files of a repository are no targets.
    analyses = () if field_set.context.value else dockerfile.analyses
    sources = {source for analysis in analyses for source in analysis.context_paths}
    wanted = {
        posixpath.normpath(posixpath.join(root, source.path))
        for source in sources
        if source.path is not None and not source.has_wildcard and source.path != "."
    }
    patterns = sorted(filter(None, (source.pattern for source in sources)))
    provided = await _provide(field_set, root, wanted, patterns)
    inputs = await find_image_input_files(field_set, dockerfile, upstream, subsystem)
    copied = (address for _, address in upstream.copied)
    inferred = {*upstream.addresses, *copied, *provided, *inputs}
    inferred.discard(field_set.address)
    return InferredDependencies(sorted(inferred))
