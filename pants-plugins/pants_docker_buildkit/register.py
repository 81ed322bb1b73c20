"""Wires target types and rule modules together; no logic."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule, collect_rules
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from pants_docker_buildkit import dependency_inference
from pants_docker_buildkit.goals import (
    generate_lockfiles,
    lint,
    list_images,
    migrate,
    package,
    plan_images,
    publish,
    resolved_manifests,
    run,
    tailor,
    test,
)
from pants_docker_buildkit.target_types import (
    BuildKitImageRefsTarget,
    BuildKitImagesTarget,
    BuildKitImageTarget,
    BuildKitImageTestTarget,
    BuildKitManifestsTarget,
    ImageInputTarget,
)
from pants_docker_buildkit.util_rules import (
    artifacts,
    attestations,
    base_images,
    base_triggers,
    build,
    build_context,
    build_platform,
    build_secrets,
    build_settings,
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
    git_contexts,
    image_archives,
    image_inputs,
    image_layers,
    image_lock,
    image_plans,
    image_refs,
    image_stages,
    image_trials,
    input_files,
    lock_drift,
    locked_sources,
    manifests,
    needed_targets,
    peek_info,
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
    written_addresses,
)

_RULE_MODULES = (
    docker_environment,
    registries,
    credentials,
    session,
    signatures,
    cached_answer,
    remote_content,
    git_commit,
    image_lock,
    git_contexts,
    dockerfile,
    written_addresses,
    upstream_targets,
    base_images,
    build_context,
    context_providers,
    builders,
    build_platform,
    unowned_files,
    upstream_images,
    user_policy,
    base_triggers,
    image_archives,
    needed_targets,
    image_inputs,
    lock_drift,
    locked_sources,
    build_secrets,
    build_settings,
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
    list_images,
    plan_images,
    referenced_images,
    manifests,
    structure_tests,
    image_trials,
    migrate,
)
"""Those whose rules are all that they give to Pants."""

_UNION_MODULES = (
    image_stages,
    dependency_inference,
    session_callback,
    input_files,
    artifacts,
    peek_info,
    lint,
    package,
    publish,
    run,
    image_refs,
    test,
    resolved_manifests,
    tailor,
    generate_lockfiles,
)
"""Those that also say where Pants calls them: as members of its unions, such as its goals."""


def target_types() -> Iterable[type[Target]]:
    """What the backend adds to BUILD files."""
    return (
        BuildKitImageTarget,
        BuildKitImagesTarget,
        BuildKitImageTestTarget,
        BuildKitImageRefsTarget,
        BuildKitManifestsTarget,
        ImageInputTarget,
    )


def rules() -> Iterable[Rule | UnionRule]:
    """All rules, and the members of unions of Pants."""
    unions = (rule for module in _UNION_MODULES for rule in module.rules())
    return (*collect_rules(*_RULE_MODULES), *unions)
