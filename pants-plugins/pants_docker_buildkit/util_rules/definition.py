"""What identifies a build, and what does its process get as input?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, CreateDigest, Digest, FileContent, MergeDigests
from pants.engine.platform import Platform
from pants.engine.target import DictStringToStringField, StringSequenceField

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.compat import add_prefix, create_digest, implicitly, merge_digests, rule
from pants_docker_buildkit.digests.build_digest import build_digest
from pants_docker_buildkit.digests.encoding import Encodable, blake3_digest, encode
from pants_docker_buildkit.dockerfile.analysis import RemoteKind
from pants_docker_buildkit.dockerfile.context_entries import ContextEntry
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME, NO_PATTERNS_IGNORE_FILE
from pants_docker_buildkit.dockerfile.source_date_epoch import (
    MAIN_CONTEXT,
    SOURCE_DATE_EPOCH,
    AmbiguousEpochError,
    find_epoch,
    is_seconds,
)
from pants_docker_buildkit.fields.layers import LayerCompression
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import LOCAL_ENVIRONMENT, BuildKitImageFieldSet
from pants_docker_buildkit.options.placeholders import Placeholders
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.artifact_patterns import (
    InvalidArtifactPathError,
    parse_artifact_path,
)
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob, ContextKind
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, ROOT
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_secrets import SecretHashes, hash_secrets
from pants_docker_buildkit.util_rules.image_inputs import ImageInputs, find_inputs, tell_of_context
from pants_docker_buildkit.util_rules.image_names import (
    Naming,
    fill_in,
    placeholders,
    with_git,
)
from pants_docker_buildkit.util_rules.index_attestations import attestations_in_index
from pants_docker_buildkit.util_rules.registries import read_configured_registries


@dataclass(frozen=True)
class ImageDefinitionRequest:
    """Asks what the build of a target is. Another `attempt` asks again what URLs give."""

    field_set: BuildKitImageFieldSet
    attempt: int = 0


@dataclass(frozen=True)
class ImageDefinition:
    """A build before it is run.

    `inputs` is the input tree of its process, `key` a name of its own. `contexts` are what lies in
    those that are files, by name and the main one as ''; with them, and `dockerfile`, is told later
    what changed. `local_tags` are the references that the local engine gives the image, for
    `output="docker"`. `materials` are what the build reads from outside, `None` where no record has
    them.
    """

    address: Address
    job: BuildJob
    key: str
    context_digest: str
    inputs: Digest
    output: ImageOutput
    local_tags: tuple[str, ...]
    materials: tuple[BuildMaterial, ...] | None
    dockerfile: bytes
    contexts: tuple[tuple[str, tuple[ContextEntry, ...]], ...]


async def _input_tree(inputs: ImageInputs, job: bytes) -> Digest:
    """What the build process finds in its working directory."""
    files = (
        FileContent(JOB_FILE, job),
        FileContent(DOCKERFILE, inputs.dockerfile.content),
        # The ignore file was applied already. One that wins and excludes nothing keeps
        # BuildKit from applying one that lies in the context.
        FileContent(f"{DOCKERFILE}{IGNORE_FILE_NAME}", NO_PATTERNS_IGNORE_FILE),
        *inputs.policies.files,
    )
    tree = await create_digest(
        CreateDigest(FileContent(f"{ROOT}/{each.path}", each.content) for each in files)
    )
    layouts = [layout for _, layout in inputs.upstream.layouts]
    if not layouts:
        return tree
    below = await add_prefix(AddPrefix(await merge_digests(MergeDigests(layouts)), ROOT))
    return await merge_digests(MergeDigests((tree, below)))


async def _names(naming: Naming, values: Placeholders) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The repositories of an image, and its tags in the local engine."""
    if naming.output is ImageOutput.REGISTRY:
        naming.check_tags(values)
        names = (reference.name for _, reference in naming.in_registries(values))
        return tuple(dict.fromkeys(names)), ()
    if naming.output is not ImageOutput.DOCKER:
        return (), ()
    repository = naming.repository(values)
    tag_values = await with_git(naming, values)
    return (repository,), naming.local_references(repository, tag_values)


@rule(desc="Define image build")
async def define_image(
    request: ImageDefinitionRequest, subsystem: DockerBuildKitSubsystem, host: Platform
) -> ImageDefinition:
    field_set = request.field_set
    _check_environment(field_set)
    configured = await read_configured_registries(**implicitly())
    naming = Naming.create(field_set, configured, subsystem)
    output = naming.output
    inputs = await find_inputs(field_set, request.attempt, subsystem, host)
    if request.attempt == 0:
        await tell_of_context(field_set, inputs)
    values = image_placeholders(field_set, inputs)
    secret_hashes = SecretHashes()
    if field_set.hashed_secrets.value:
        secret_hashes = await hash_secrets(field_set, **implicitly())
    is_reproducible = _is_reproducible(field_set, output, subsystem)
    build_args = _final_build_args(field_set, inputs, is_reproducible=is_reproducible)
    _check_compression(field_set, output)
    definition = replace(
        _definition(field_set, inputs, output, values, secret_hashes),
        build_args=tuple(sorted(build_args.items())),
        inline_cache=(
            field_set.inline_cache.value and output is ImageOutput.REGISTRY and not is_reproducible
        ),
        policies=inputs.policies.hashes,
        reproducible=is_reproducible,
        attestations=attestations_in_index(
            field_set, output, subsystem.output, is_reproducible=is_reproducible
        ),
    )
    repositories, local_tags = await _names(naming, values)
    job = BuildJob(build_digest(definition.as_map()), definition, repositories)
    job_file = job.to_json()
    return ImageDefinition(
        address=field_set.address,
        job=job,
        key=hashlib.sha256(job_file).hexdigest()[:32],
        context_digest=definition.context,
        inputs=await _input_tree(inputs, job_file),
        output=output,
        local_tags=local_tags,
        materials=inputs.materials if subsystem.record_materials else None,
        dockerfile=inputs.dockerfile.content,
        contexts=(
            ("", inputs.context.entries),
            *((name, tree.entries) for name, tree in inputs.upstream.named_files),
        ),
    )


def _check_environment(field_set: BuildKitImageFieldSet) -> None:
    field = field_set.environment
    if field.value != LOCAL_ENVIRONMENT:
        raise field_set.error(
            field,
            f"be {LOCAL_ENVIRONMENT!r}, because BuildKit is reached from this machine",
            f"it is {field.value!r}",
            "To build elsewhere, name a remote builder in `builder`.",
        )


def image_placeholders(field_set: BuildKitImageFieldSet, inputs: ImageInputs) -> Placeholders:
    """What placeholders stand for that may be part of the build: nothing of Git is in them."""
    hashed: list[Encodable] = [inputs.context_digest, inputs.dockerfile.sha256]
    hashed.append(dict(inputs.build_args))
    inputs_hash = blake3_digest(encode(hashed)).rpartition(":")[2]
    # A tag may name an argument that no Dockerfile declares, which is in no key.
    arguments = {**dict(inputs.dockerfile.build_args.values), **dict(inputs.build_args)}
    targets = {name for name, _ in inputs.upstream.build_args}
    return placeholders(field_set, inputs.analysis, arguments, targets, inputs_hash)


def _definition(
    field_set: BuildKitImageFieldSet,
    inputs: ImageInputs,
    output: ImageOutput,
    values: Placeholders,
    secret_hashes: SecretHashes,
) -> BuildDefinition:
    return BuildDefinition(
        dockerfile=inputs.dockerfile.sha256,
        context=inputs.context_digest,
        context_paths=inputs.context_paths,
        platforms=tuple(sorted(str(platform) for platform in inputs.dockerfile.platforms)),
        output=output.value,
        target_stage=field_set.target_stage.value,
        named_contexts=inputs.named_contexts,
        sources=inputs.sources,
        labels=_filled_pairs(field_set, field_set.labels, values),
        annotations=_filled_pairs(field_set, field_set.annotations, values),
        secret_hashes=secret_hashes.hashes,
        secret_ids=tuple(sorted(field_set.secrets.value or ())),
        ssh_ids=tuple(sorted(each.partition("=")[0] for each in field_set.ssh.value or ())),
        network=field_set.network.value,
        extra_hosts=tuple(sorted((field_set.extra_hosts.value or {}).items())),
        shm_size=field_set.shm_size.value,
        ulimits=tuple(sorted((field_set.ulimits.value or {}).items())),
        entitlements=tuple(sorted(field_set.entitlements.value or ())),
        no_cache=field_set.no_cache.value,
        output_files=_artifact_paths(field_set, field_set.output_files),
        output_directories=_artifact_paths(field_set, field_set.output_directories),
        build_platforms=inputs.build_platforms,
        platform_of_base=inputs.platform_of_base if output.is_image else None,
        compression=field_set.compression.value,
        compression_level=field_set.compression_level.value,
        force_compression=field_set.force_compression.value,
    )


def _check_compression(field_set: BuildKitImageFieldSet, output: ImageOutput) -> None:
    """Refuse a level that the compression does not have, and any where there are no layers."""
    kind, level = field_set.compression, field_set.compression_level
    given = (kind, level, field_set.force_compression)
    set_field = next((each for each in given if each.value not in (None, False)), None)
    if set_field is not None and not output.is_image:
        raise field_set.error(
            set_field,
            "be left out where there is no image",
            f"it is {set_field.value!r}, and files have no layers",
        )
    compression = LayerCompression(kind.value or LayerCompression.GZIP)
    highest = compression.highest_level
    if level.value is not None and (highest is None or not 0 <= level.value <= highest):
        allowed = "be left out" if highest is None else f"be from 0 to {highest}"
        raise field_set.error(
            level,
            f"{allowed} where `{kind.alias}` is {compression.value!r}",
            f"it is {level.value}",
        )


def _artifact_paths(
    field_set: BuildKitImageFieldSet, field: StringSequenceField
) -> tuple[str, ...]:
    """The paths of a field, each once and in its shortest form."""
    try:
        return tuple(sorted({parse_artifact_path(each) for each in field.value or ()}))
    except InvalidArtifactPathError as e:
        raise field_set.error(
            field, f"hold paths, each of which must {e.requirement}", f"{e.text!r} is one of them"
        ) from e


def _is_reproducible(
    field_set: BuildKitImageFieldSet, output: ImageOutput, subsystem: DockerBuildKitSubsystem
) -> bool:
    """Whether the image is made without times. The local engine takes no such images."""
    field = field_set.reproducible
    if output is not ImageOutput.DOCKER:
        return subsystem.reproducible if field.value is None else field.value
    if field.value and subsystem.output is None:
        raise field_set.error(
            field,
            f"not be True where `{field_set.output.alias}` is {output.value!r}",
            "the Docker Engine cannot load an image while its times are rewritten",
            "Push the image or write it as a layout, or remove the field.",
        )
    return False


def _sources_without_time(field_set: BuildKitImageFieldSet, inputs: ImageInputs) -> Iterator[str]:
    """What BuildKit would take the time of the image from, but cannot here.

    Of a URL whose content must be a certain one it asks no server for the time, and the files of a
    repository that is the context are sent to it as any other files.
    """
    context = inputs.analysis.epoch_context
    if context == MAIN_CONTEXT and field_set.context.value:
        yield field_set.context.value
    for each in inputs.named_contexts:
        if each.name == context and each.kind is ContextKind.URL:
            yield each.value
    for source in inputs.analysis.epoch_sources:
        if source.kind is RemoteKind.HTTP and source.checksum is None:
            yield source.url


def _final_build_args(
    field_set: BuildKitImageFieldSet, inputs: ImageInputs, *, is_reproducible: bool
) -> dict[str, str]:
    """The build arguments, with the time of a reproducible image."""
    final = dict(inputs.build_args)
    undated = next(_sources_without_time(field_set, inputs), None)
    if undated is not None:
        finding = f"the image takes its time from {redact(undated)!r}"
        raise field_set.error(
            field_set.build_args,
            f"set {SOURCE_DATE_EPOCH} to a number of seconds",
            f"{finding}, of which only the content is known",
        )
    if is_reproducible and SOURCE_DATE_EPOCH not in final:
        try:
            epoch = find_epoch(inputs.analysis)
        except AmbiguousEpochError as e:
            raise field_set.error(
                field_set.reproducible,
                f"be False for a Dockerfile without a single {SOURCE_DATE_EPOCH}",
                e.finding,
                f"Set '{SOURCE_DATE_EPOCH}=…' in `{field_set.build_args.alias}`.",
            ) from e
        # The name of a stage or context is left to BuildKit, and so is the time of that.
        if epoch is None or is_seconds(epoch):
            final[SOURCE_DATE_EPOCH] = epoch or "0"
    return final


def _filled_pairs(
    field_set: BuildKitImageFieldSet, field: DictStringToStringField, values: Placeholders
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key, fill_in(field_set, field, value, values))
        for key, value in sorted((field.value or {}).items())
    )
