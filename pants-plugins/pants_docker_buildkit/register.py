"""Wires target types and rule modules together; no logic."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from pants_docker_buildkit import dependency_inference
from pants_docker_buildkit.goals import (
    generate_lockfiles,
    lint,
    list_images,
    migrate,
    package,
    package_manifests,
    package_refs,
    plan_images,
    publish,
    run,
    run_manifests,
    tailor,
    test,
)
from pants_docker_buildkit.target_types import (
    BuildKitImageRefsTarget,
    BuildKitImageTarget,
    BuildKitImageTestTarget,
    BuildKitManifestsTarget,
    ImageInputTarget,
)
from pants_docker_buildkit.util_rules import (
    attestations,
    base_images,
    base_triggers,
    build,
    build_args,
    build_context,
    build_platform,
    build_secrets,
    builders,
    cached_answer,
    confirmation,
    context_providers,
    credentials,
    definition,
    docker_environment,
    dockerfile,
    dockerfile_checks,
    git_commit,
    image_cycle,
    image_inputs,
    image_layers,
    image_lock,
    image_plans,
    image_refs,
    input_files,
    lock_drift,
    locked_sources,
    manifests,
    manifests_inference,
    pinned_sources,
    policies,
    publication,
    published_names,
    referenced_images,
    registries,
    remote_content,
    sbom,
    session,
    session_callback,
    signatures,
    structure_tests,
    unowned_files,
    upstream_images,
    upstream_targets,
    user_policy,
)

_RULE_MODULES = (
    dependency_inference,
    docker_environment,
    registries,
    credentials,
    session,
    session_callback,
    signatures,
    cached_answer,
    remote_content,
    git_commit,
    build_args,
    dockerfile,
    upstream_targets,
    input_files,
    base_images,
    build_context,
    context_providers,
    builders,
    build_platform,
    unowned_files,
    upstream_images,
    user_policy,
    image_lock,
    pinned_sources,
    policies,
    base_triggers,
    image_cycle,
    image_inputs,
    lock_drift,
    locked_sources,
    build_secrets,
    definition,
    confirmation,
    build,
    sbom,
    attestations,
    published_names,
    publication,
    image_plans,
    image_layers,
    dockerfile_checks,
    lint,
    list_images,
    package,
    plan_images,
    publish,
    run,
    referenced_images,
    image_refs,
    package_refs,
    manifests,
    manifests_inference,
    structure_tests,
    test,
    package_manifests,
    run_manifests,
    tailor,
    generate_lockfiles,
    migrate,
)


def target_types() -> Iterable[type[Target]]:
    """What the backend adds to BUILD files."""
    return (
        BuildKitImageTarget,
        BuildKitImageTestTarget,
        BuildKitImageRefsTarget,
        BuildKitManifestsTarget,
        ImageInputTarget,
    )


def rules() -> Iterable[Rule | UnionRule]:
    """All rules, those that others call first."""
    return tuple(rule for module in _RULE_MODULES for rule in module.rules())
