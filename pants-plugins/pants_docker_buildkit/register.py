"""Wires target types and rule modules together; no logic."""

from __future__ import annotations

from collections.abc import Iterable

from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    KnownUserResolveNamesRequest,
    RequestedUserResolveNames,
)
from pants.core.goals.package import PackageFieldSet
from pants.core.goals.tailor import PutativeTargetsRequest
from pants.engine.internals.synthetic_targets import SyntheticTargetsRequest
from pants.engine.rules import Rule, collect_rules
from pants.engine.streaming_workunit_handler import WorkunitsCallbackFactoryRequest
from pants.engine.target import (
    GenerateSourcesRequest,
    GenerateTargetsRequest,
    InferDependenciesRequest,
    Target,
)
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
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
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
    base_configs,
    base_images,
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
    missing_paths,
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
    missing_paths,
    upstream_images,
    user_policy,
    base_configs,
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
    image_stages,
    dependency_inference,
    session_callback,
    input_files,
    artifacts,
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
    """All rules, and where Pants calls them: as members of its unions, such as its goals."""
    return (
        *collect_rules(*_RULE_MODULES),
        UnionRule(InferDependenciesRequest, dependency_inference.InferImageDependencies),
        UnionRule(InferDependenciesRequest, manifests.InferManifestsDependencies),
        UnionRule(GenerateTargetsRequest, image_stages.GenerateImagesRequest),
        UnionRule(SyntheticTargetsRequest, input_files.ImageInputTargetsRequest),
        UnionRule(GenerateSourcesRequest, artifacts.GenerateArtifactsRequest),
        UnionRule(GenerateSourcesRequest, image_refs.GenerateRefsFileRequest),
        UnionRule(WorkunitsCallbackFactoryRequest, session_callback.SessionCallbackFactoryRequest),
        UnionRule(PackageFieldSet, BuildKitImageFieldSet),
        UnionRule(PackageFieldSet, image_refs.ImageRefsFieldSet),
        UnionRule(PackageFieldSet, manifests.ManifestsFieldSet),
        *manifests.ManifestsFieldSet.rules(),
        *run.BuildKitImageRunFieldSet.rules(),
        *publish.PublishImageFieldSet.rules(),
        *test.BuildKitTestRequest.rules(),
        *lint.DockerfileLintRequest.rules(),
        UnionRule(PutativeTargetsRequest, tailor.PutativeImageTargetsRequest),
        UnionRule(KnownUserResolveNamesRequest, generate_lockfiles.KnownImageResolvesRequest),
        UnionRule(RequestedUserResolveNames, generate_lockfiles.RequestedImageResolves),
        UnionRule(GenerateLockfile, generate_lockfiles.GenerateImageLock),
        *peek_info.rules(),
    )
