"""Which images do manifests name?"""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule, collect_rules
from pants.engine.target import InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.util_rules.manifests import ManifestsFieldSet, read_manifest_files
from pants_docker_buildkit.util_rules.referenced_images import find_mentioned_images


class InferManifestsDependencies(InferDependenciesRequest):
    """Asks what manifests depend on by the images that they name."""

    infer_from = ManifestsFieldSet


@rule(desc="Infer dependencies of manifests")
async def infer_manifests_dependencies(
    request: InferManifestsDependencies,
) -> InferredDependencies:
    """Makes `--changed-dependents` find the manifests that a change of an image touches."""
    files = await read_manifest_files(request.field_set, **implicitly())
    images = await find_mentioned_images(files.mentioned, **implicitly())
    return InferredDependencies(sorted(images.addresses))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferManifestsDependencies),
    )
