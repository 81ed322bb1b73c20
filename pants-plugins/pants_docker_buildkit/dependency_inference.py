"""Which targets do `FROM`, `ARG`, `COPY` and `RUN --mount` refer to?"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import OutputPathField
from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.engine.addresses import Address
from pants.engine.rules import Rule, collect_rules
from pants.engine.target import (
    AllTargets,
    InferDependenciesRequest,
    InferredDependencies,
    SourcesField,
)
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_context import is_image
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


@dataclass(frozen=True)
class ContextProvidersRequest:
    """Asks for all targets that can put a file into a build context."""


@dataclass(frozen=True)
class ContextProviders:
    """Targets by the path from the build root that they provide.

    `packages` are the output paths of packageable targets, which may have any file ending.
    """

    files: tuple[tuple[str, tuple[Address, ...]], ...]
    packages: tuple[tuple[OutputPathField, Address], ...]


@rule(desc="Find targets that can enter a build context")
async def find_context_providers(
    _: ContextProvidersRequest, all_targets: AllTargets
) -> ContextProviders:
    files: dict[str, list[Address]] = {}
    packages = []
    for target in all_targets:
        if is_image(target):
            continue
        if target.has_field(OutputPathField):
            packages.append((target[OutputPathField], target.address))
        if target.has_field(FileSourceField) or target.has_field(ResourceSourceField):
            sources = target[SourcesField]
            for path in getattr(sources, "globs", ()):
                joined = posixpath.normpath(posixpath.join(target.address.spec_path, path))
                files.setdefault(joined, []).append(target.address)
    return ContextProviders(
        tuple((path, tuple(addresses)) for path, addresses in sorted(files.items())),
        tuple(packages),
    )


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
    files = dict(providers.files)
    inferred = set(upstream.addresses)
    for path in wanted:
        owners = files.get(path, ())
        if len(owners) == 1:
            inferred.add(owners[0])
    inferred |= _packages_at(wanted, providers)
    inputs = await find_image_input_files(ImageInputFilesRequest(field_set), **implicitly())
    inferred.update(inputs.addresses)
    inferred.discard(field_set.address)
    return InferredDependencies(sorted(inferred))


def _packages_at(wanted: set[str], providers: ContextProviders) -> set[Address]:
    """The packageable targets whose output path is one of these, whatever its ending."""
    endings = {ending for path in wanted for ending in _endings(path)}
    return {
        address
        for output_path, address in providers.packages
        if any(output_path.value_or_default(file_ending=ending) in wanted for ending in endings)
    }


def _endings(path: str) -> list[str | None]:
    """What may be the file ending of a path: for `a.tar.gz` nothing, `gz` or `tar.gz`."""
    parts = posixpath.basename(path).split(".")
    return [".".join(parts[start:]) or None for start in range(1, len(parts) + 1)]


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferImageDependencies),
    )
