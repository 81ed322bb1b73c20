"""Which targets do `FROM`, `ARG`, `COPY` and `RUN --mount` refer to?"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from pants.engine.rules import Rule, collect_rules
from pants.engine.target import InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.context_providers import (
    ContextProvidersRequest,
    find_context_providers,
)
from pants_docker_buildkit.util_rules.dockerfile import (
    ImageDockerfileRequest,
    read_image_dockerfile,
)
from pants_docker_buildkit.util_rules.input_files import (
    ImageInputFilesRequest,
    find_image_input_files,
)
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargetsRequest,
    find_upstream_targets,
)


class InferImageDependencies(InferDependenciesRequest):
    """Asks what an image target depends on by its Dockerfile."""

    infer_from = BuildKitImageFieldSet


@rule(desc="Infer dependencies of images")
async def infer_image_dependencies(
    request: InferImageDependencies, subsystem: DockerBuildKitSubsystem
) -> InferredDependencies:
    field_set = request.field_set
    upstream = await find_upstream_targets(UpstreamTargetsRequest(field_set), **implicitly())
    dockerfile = await read_image_dockerfile(ImageDockerfileRequest(field_set), **implicitly())
    providers = await find_context_providers(ContextProvidersRequest(), **implicitly())
    root = field_set.context_directory(subsystem.default_context_root)
    wanted = {
        posixpath.normpath(posixpath.join(root, source.path))
        for analysis in dockerfile.analyses
        for source in analysis.context_paths
        if source.path is not None and not source.has_wildcard and source.path != "."
    }
    inputs = await find_image_input_files(ImageInputFilesRequest(field_set), **implicitly())
    inferred = {*upstream.addresses, *providers.providing(wanted), *inputs.addresses}
    inferred.discard(field_set.address)
    return InferredDependencies(sorted(inferred))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferImageDependencies),
    )
