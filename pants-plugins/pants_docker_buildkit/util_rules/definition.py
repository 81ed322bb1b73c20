"""What identifies a build, and what does its process get as input?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, Directory, FileContent, MergeDigests
from pants.engine.rules import Rule, collect_rules
from pants.util.value_interpolation import InterpolationContext

from pants_docker_buildkit.compat import (
    concurrently,
    create_digest,
    implicitly,
    merge_digests,
    rule,
)
from pants_docker_buildkit.digests.build_digest import build_digest
from pants_docker_buildkit.digests.context_digest import context_digest
from pants_docker_buildkit.digests.encoding import blake3_digest, encode
from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis
from pants_docker_buildkit.dockerfile.context_entries import FileEntry
from pants_docker_buildkit.dockerfile.missing_sources import find_missing_source
from pants_docker_buildkit.dockerfile.stages import undeclared_build_args
from pants_docker_buildkit.errors import (
    InvalidImageFieldError,
    MissingContextFileError,
    UnresolvedBaseImageError,
)
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import LOCAL_ENVIRONMENT, BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.solver.build import CONTEXT_DIRECTORY, DOCKERFILE
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
)
from pants_docker_buildkit.solver.main import JOB_FILE
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.base_images import BaseImageRequest, resolve_base_image
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
from pants_docker_buildkit.util_rules.image_names import (
    fill_in,
    image_output,
    image_registries,
    image_repositories,
    image_repository,
    placeholders,
)
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistriesRequest,
    read_configured_registries,
)
from pants_docker_buildkit.util_rules.upstream_images import UpstreamRequest, prepare_upstream
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargetsRequest,
    find_upstream_targets,
)

_SOURCE_DATE_EPOCH = "SOURCE_DATE_EPOCH"
_FRONTEND_ARGUMENT = "BUILDKIT_SYNTAX"


@dataclass(frozen=True)
class ImageDefinitionRequest:
    """Asks what the build of a target is."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class ImageDefinition:
    """A build before it is run.

    `inputs` is the input tree of its process. `files` are the paths and content hashes of the main
    context, for telling later what changed. `local_tags` are the references that the local engine
    gives the image, for `output="docker"`.
    """

    address: Address
    job: BuildJob
    context_digest: str
    inputs: Digest
    output: ImageOutput
    files: tuple[tuple[str, str], ...]
    local_tags: tuple[str, ...]


@dataclass(frozen=True)
class _PinnedImages:
    contexts: tuple[NamedContext, ...]
    frontend: str | None


async def _pin_base_images(
    field_set: BuildKitImageFieldSet, analyses: Iterable[DockerfileAnalysis]
) -> _PinnedImages:
    """Digests for the images that the Dockerfile names by tag."""
    lines: dict[str, int | None] = {}
    frontend_text = None
    for analysis in analyses:
        if analysis.frontend is not None:
            frontend_text = analysis.frontend.reference
        for material in analysis.materials:
            lines.setdefault(material.reference, next(iter(material.lines), None))
    references = {text: ImageReference.parse_familiar(text) for text in lines}
    wanted = {text: each for text, each in references.items() if not each.is_pinned}
    answers = await concurrently(
        resolve_base_image(BaseImageRequest(reference), **implicitly())
        for reference in wanted.values()
    )
    contexts = []
    frontend = frontend_text
    for text, answer in zip(wanted, answers):
        if answer.pinned is None:
            raise UnresolvedBaseImageError(text, field_set.address, lines[text], answer.problem)
        if text == frontend_text:
            frontend = str(answer.pinned)
        else:
            contexts.append(NamedContext(text, ContextKind.IMAGE, str(answer.pinned)))
    return _PinnedImages(tuple(contexts), frontend)


@rule(desc="Define image build")
async def define_image(
    request: ImageDefinitionRequest, subsystem: DockerBuildKitSubsystem
) -> ImageDefinition:
    field_set = request.field_set
    _check_environment(field_set)
    dockerfile, targets, configured = await concurrently(
        read_image_dockerfile(ImageDockerfileRequest(field_set), **implicitly()),
        find_upstream_targets(UpstreamTargetsRequest(field_set), **implicitly()),
        read_configured_registries(ConfiguredRegistriesRequest(), **implicitly()),
    )
    registries = image_registries(field_set, configured)
    output = image_output(field_set, registries)
    context, upstream = await concurrently(
        assemble_build_context(BuildContextRequest(field_set), **implicitly()),
        prepare_upstream(UpstreamRequest(field_set), **implicitly()),
    )

    given = {**dict(dockerfile.build_args.values), **dict(upstream.build_args)}
    analyses = analyze_dockerfile(
        dockerfile, field_set, given.items(), (each.name for each in upstream.contexts)
    )
    build_args = _declared_build_args(field_set, dockerfile, analyses, given)
    _check_context_paths(field_set, dockerfile, analyses, context)
    pinned = await _pin_base_images(field_set, analyses)

    tree_digest = context_digest(
        context.entries, {name: tree.entries for name, tree in upstream.named_files}
    )
    inputs_hash = blake3_digest(encode([tree_digest, dockerfile.sha256, build_args]))
    values = placeholders(field_set, analyses[0], build_args, inputs_hash.rpartition(":")[2])
    if output is ImageOutput.REGISTRY:
        repositories = image_repositories(
            field_set, registries, subsystem.default_repository, values
        )
    elif output is ImageOutput.DOCKER:
        repositories = (image_repository(field_set, None, subsystem.default_repository, values),)
    else:
        repositories = ()
    frontend = pinned.frontend
    definition = BuildDefinition(
        dockerfile=dockerfile.sha256,
        context=tree_digest,
        platforms=tuple(sorted(str(platform) for platform in dockerfile.platforms)),
        output=output.value,
        frontend=frontend,
        target_stage=field_set.target_stage.value,
        named_contexts=tuple(
            sorted(
                (
                    *upstream.contexts,
                    *pinned.contexts,
                    *(NamedContext(n, ContextKind.IMAGE, value) for n, value in targets.images),
                    *(NamedContext(n, ContextKind.GIT, value) for n, value in targets.git),
                )
            )
        ),
        build_args=_final_build_args(build_args, frontend),
        labels=_filled_pairs(field_set, field_set.labels.alias, field_set.labels.value, values),
        annotations=_filled_pairs(
            field_set, field_set.annotations.alias, field_set.annotations.value, values
        ),
        secret_ids=tuple(sorted(field_set.secrets.value or ())),
        ssh_ids=tuple(sorted(each.partition("=")[0] for each in field_set.ssh.value or ())),
        network=field_set.network.value,
        extra_hosts=tuple(sorted((field_set.extra_hosts.value or {}).items())),
        shm_size=field_set.shm_size.value,
        ulimits=tuple(sorted((field_set.ulimits.value or {}).items())),
        entitlements=tuple(sorted(field_set.entitlements.value or ())),
        no_cache=field_set.no_cache.value,
        inline_cache=field_set.inline_cache.value and output is ImageOutput.REGISTRY,
    )
    job = BuildJob(build_digest(definition.as_map()), definition, repositories)
    files = await create_digest(
        CreateDigest(
            (
                FileContent(JOB_FILE, job.to_json()),
                FileContent(DOCKERFILE, dockerfile.content),
                # The ignore file was applied already; an empty one that wins keeps BuildKit from
                # applying one that lies in the context.
                FileContent(f"{DOCKERFILE}.dockerignore", b""),
                Directory(CONTEXT_DIRECTORY),
            )
        )
    )
    inputs = await merge_digests(MergeDigests((files, context.digest, *upstream.trees)))
    return ImageDefinition(
        address=field_set.address,
        job=job,
        context_digest=tree_digest,
        inputs=inputs,
        output=output,
        files=_file_hashes(context),
        local_tags=tuple(
            f"{repositories[0]}:{fill_in(field_set, field_set.image_tags.alias, tag, values)}"
            for tag in (field_set.image_tags.value or ())
            if output is ImageOutput.DOCKER
        ),
    )


def _check_environment(field_set: BuildKitImageFieldSet) -> None:
    field = field_set.environment
    if field.value != LOCAL_ENVIRONMENT:
        raise InvalidImageFieldError(
            field.alias,
            field_set.address,
            f"be {LOCAL_ENVIRONMENT!r}, because BuildKit is reached from this machine",
            f"it is {field.value!r}",
            "To build elsewhere, name a remote builder in `builder`.",
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


def _final_build_args(
    build_args: Mapping[str, str], frontend: str | None
) -> tuple[tuple[str, str], ...]:
    """What makes builds reproducible is part of the build, unless the user chose otherwise."""
    final = {_SOURCE_DATE_EPOCH: "0", **build_args}
    if frontend is not None:
        final.setdefault(_FRONTEND_ARGUMENT, frontend)
    return tuple(sorted(final.items()))


def _filled_pairs(
    field_set: BuildKitImageFieldSet,
    alias: str,
    pairs: Mapping[str, str] | None,
    values: InterpolationContext,
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key, fill_in(field_set, alias, value, values))
        for key, value in sorted((pairs or {}).items())
    )


def _file_hashes(context: ContextTree) -> tuple[tuple[str, str], ...]:
    """What each file is, short enough to be kept until the next build."""
    return tuple(
        (entry.path, f"{entry.content_sha256[:16]}{'x' if entry.is_executable else ''}")
        for entry in context.entries
        if isinstance(entry, FileEntry)
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
