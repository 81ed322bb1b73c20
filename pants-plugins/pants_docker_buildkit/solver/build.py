"""Run buildx once for a job, and say which image came of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pants_docker_buildkit.buildx.argument_sizes import ArgumentTooLongError, check_argument_sizes
from pants_docker_buildkit.buildx.attributes import render_attributes, render_values
from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.command import BuildCommand, render_arguments
from pants_docker_buildkit.buildx.metadata import (
    BuildMetadata,
    InvalidMetadataError,
    parse_metadata,
)
from pants_docker_buildkit.oci.content import InvalidContentError
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.layout import InvalidLayoutError
from pants_docker_buildkit.oci.manifest import InvalidManifestError
from pants_docker_buildkit.oci.platform_image import (
    PlatformImage,
    ReadContent,
    read_platform_manifests,
)
from pants_docker_buildkit.registry.rules_of_registries import find_rule
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import BuildSecret
from pants_docker_buildkit.session.unix_socket import NoSessionError, SessionProblemError
from pants_docker_buildkit.solver.artifacts import keep_artifacts
from pants_docker_buildkit.solver.build_name import name_arguments
from pants_docker_buildkit.solver.builder_choice import engine_host
from pants_docker_buildkit.solver.builder_history import find_config_digest
from pants_docker_buildkit.solver.deadline import Deadline, interrupts_held
from pants_docker_buildkit.solver.definition import (
    ARTIFACTS_OUTPUT,
    TAR_OUTPUT,
    BuildDefinition,
    BuildJob,
)
from pants_docker_buildkit.solver.denied_source import explain_denial
from pants_docker_buildkit.solver.engine_search import EngineSearch
from pants_docker_buildkit.solver.errors import (
    BuilderLostError,
    BuildFailedError,
    BuildTimeoutError,
    GitNameError,
    LayerLostError,
    SolverError,
    SourceChangedError,
    TagMovedError,
    TestsTimeoutError,
    TurnedAwayError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.failure import final_error, summarize_failure
from pants_docker_buildkit.solver.image_tags import build_tag, inline_cache_references, tag_image
from pants_docker_buildkit.solver.input_tree import (
    DOCKERFILE,
    EXPORT_DIRECTORY,
    OUTPUT_ARTIFACTS,
    OUTPUT_LAYOUT,
    OWN_POLICY,
)
from pants_docker_buildkit.solver.lost_builder import (
    advise_on_loss,
    cannot_be_said,
    find_boot_failure,
    find_git_name_failure,
    find_loss,
    find_lost_layer,
    find_moved_tag,
)
from pants_docker_buildkit.solver.materials import find_materials
from pants_docker_buildkit.solver.output_layout import open_output_layout
from pants_docker_buildkit.solver.progress import Progress, ShownProgress
from pants_docker_buildkit.solver.refused_value import explain_refusal
from pants_docker_buildkit.solver.repetition import REPEAT_BY_HAND, write_repetition
from pants_docker_buildkit.solver.result import ArtifactsResult, BuildResult
from pants_docker_buildkit.solver.root_filesystem import ROOT_FILESYSTEM, write_image_metadata
from pants_docker_buildkit.solver.timeline import Timeline, write_sizes
from pants_docker_buildkit.solver.turned_away import find_missing_connection, find_turned_away
from pants_docker_buildkit.solver.workplace import Workplace

if TYPE_CHECKING:
    from pants_docker_buildkit.solver.pushed_image import PushedImage

_HOST_GATEWAY = "host-gateway"

# BuildKit of a URL whose checksum is another (`source/http/source.go`).
_OTHER_CONTENT = "digest mismatch"

_PUSH_AGAIN = (
    "It was built, but not pushed. Check that the registry is up, and that your credentials let you"
    " push for as long as this takes; then run this again: the builder keeps the steps in its"
    " cache."
)

_NO_ROOM = "no space left on device"
_NO_TEXT = (
    "The Dockerfile is no UTF-8 text, and BuildKit, which found an error in it, could not say"
    " which. Save it as UTF-8, without what other encodings put before the first line."
)

# buildx ends before it has freed much: to collect garbage takes it a tenth of a small build. Seldom
# is as good as never, and needs no limit, near which a large build would collect all the time.
_GO_VARIABLES = MappingProxyType({"GOGC": "400"})

_SECRET_VARIABLE = "PANTS_DOCKER_BUILDKIT_SECRET"
_MOST_HIDDEN_BYTES = 1 << 14


def build_image(
    job: BuildJob, settings: BuildSettings, workplace: Workplace
) -> BuildResult | ArtifactsResult:
    """The image of this job, or its files, built and put where its output says.

    Raises `BuildFailedError`, or a `Loss`.
    """
    metadata_path = workplace.scratch / "metadata.json"
    command = build_command(job, settings, workplace, metadata_path)
    dockerfile = (workplace.inputs / DOCKERFILE).read_bytes()
    name = name_arguments(job.definition, settings.target, dockerfile)
    command = replace(command, build_args=(*command.build_args, *name))
    outside = workplace.inputs.parent
    if job.definition.output == TAR_OUTPUT:
        (outside / OUTPUT_ARTIFACTS).mkdir(exist_ok=True)
    try:
        run_buildx(command, settings, workplace)
    except BuildFailedError as e:
        if _OTHER_CONTENT in str(e):
            raise SourceChangedError(str(e)) from e
        values = {variable: each.id for variable, each in _values(workplace.secrets)}
        # Where there is no room for it, that may be why the build failed, which is said.
        with suppress(OSError):
            write_repetition(command, workplace, values)
        raise BuildFailedError(f"{e}{_advise(str(e), settings.target)}") from e

    if job.definition.output == ARTIFACTS_OUTPUT:
        keep_artifacts(job.definition, outside / EXPORT_DIRECTORY, outside / OUTPUT_ARTIFACTS)
        return ArtifactsResult(job.build_digest)
    if job.definition.output == TAR_OUTPUT:
        try:
            write_image_metadata(outside / OUTPUT_LAYOUT, outside / OUTPUT_ARTIFACTS)
        except InvalidLayoutError as e:
            raise BuildFailedError(f"The build ended without an image: {e} Run it again.") from e
        return ArtifactsResult(job.build_digest)
    return _find_image(job, settings, workplace, metadata_path)


def _find_image(
    job: BuildJob, settings: BuildSettings, workplace: Workplace, metadata_path: Path
) -> BuildResult:
    """The image that was built, with the tags that it needs."""
    # Not before buildx runs: see `_import_registries`.
    from pants_docker_buildkit.solver.pushed_image import PushedImage

    repositories = job.repositories if job.definition.output == "registry" else ()
    with PushedImage(repositories, workplace.session) as pushed:
        try:
            metadata = parse_metadata(metadata_path.read_text(), pushed.read_digest)
        except (OSError, InvalidMetadataError) as e:
            raise BuildFailedError(f"{e} Use buildx 0.13 or later.") from e
        try:
            platforms = _platform_images(job, metadata, workplace, pushed)
        except (InvalidLayoutError, InvalidManifestError, InvalidContentError) as e:
            finding = f"The build ended, but not with an image: {e} Run it again."
            raise BuildFailedError(finding) from e
        if repositories:
            tag_image(job, metadata.digest, settings, pushed, workplace)
    return BuildResult(
        build_digest=job.build_digest,
        digest=metadata.digest,
        media_type=metadata.media_type,
        size=metadata.size,
        platforms=platforms,
        materials=find_materials(
            workplace.docker, workplace.builder_name, metadata, job.definition.platforms
        ),
    )


def build_command(
    job: BuildJob, settings: BuildSettings, workplace: Workplace, metadata_path: Path
) -> BuildCommand:
    """What buildx is told."""
    definition = job.definition
    imports, exports = _caches(job, settings, workplace)
    return BuildCommand(
        context=str(workplace.contexts / settings.context_name),
        dockerfile=DOCKERFILE,
        metadata_file=str(metadata_path),
        # Told none, BuildKit takes the builder's own, and labels the image like its base.
        platforms=definition.platforms if definition.platform_of_base is None else (),
        outputs=_outputs(job, workplace),
        builder=workplace.builder_name,
        target_stage=definition.target_stage,
        build_args=definition.build_args,
        inherited_build_args=tuple(name for name, _ in workplace.proxies),
        build_contexts=tuple(
            (each.name, each.source(workplace.contexts)) for each in definition.named_contexts
        ),
        labels=definition.labels,
        annotations=definition.annotations,
        secrets=_secret_attributes(workplace.secrets),
        ssh=settings.ssh,
        network=definition.network,
        extra_hosts=(
            *_extra_hosts(definition.extra_hosts, workplace.builder),
            *_key_hosts(definition),
        ),
        shm_size=definition.shm_size,
        ulimits=definition.ulimits,
        entitlements=definition.entitlements,
        resources=settings.resources,
        policies=tuple(_policy(path) for path, _ in definition.policies),
        attestations=definition.attestations,
        no_cache=definition.no_cache,
        cache_from=imports,
        cache_to=exports,
    )


def _extra_hosts(
    hosts: tuple[tuple[str, str], ...], builder: Builder
) -> tuple[tuple[str, str], ...]:
    """The hosts with the address of an engine's machine in place of its name.

    buildx knows that name for an engine only, and not where it is reached as a remote builder.
    """
    if builder.host_gateway is None:
        return hosts
    return tuple(
        (name, builder.host_gateway if address == _HOST_GATEWAY else address)
        for name, address in hosts
    )


def _values(secrets: tuple[BuildSecret, ...]) -> Iterator[tuple[str, BuildSecret]]:
    """The secrets that are values, each with the variable that buildx finds it in."""
    for number, secret in enumerate(secrets):
        if secret.path is None:
            yield f"{_SECRET_VARIABLE}_{number}", secret


def _secret_attributes(secrets: tuple[BuildSecret, ...]) -> tuple[str, ...]:
    variables = {secret.id: variable for variable, secret in _values(secrets)}
    return tuple(
        render_attributes(
            [("id", each.id), ("src", each.path)]
            if each.path is not None
            else [("id", each.id), ("type", "env"), ("env", variables[each.id])]
        )
        for each in secrets
    )


def _key_hosts(definition: BuildDefinition) -> Iterator[tuple[str, str]]:
    """A host whose name changes with the secrets that count, and with the addresses of hosts.

    BuildKit leaves both out of the cache key of a step (`ExecOp.CacheMap`), so a step that reads
    them would not run again for new ones. The name of a host is in the key of each `RUN`, with any
    builder and any cache, and only in the `/etc/hosts` that the step sees. RFC 6761 keeps
    `.invalid` from ever being a name.
    """
    if definition.secret_hashes or definition.extra_hosts:
        written = json.dumps((definition.secret_hashes, definition.extra_hosts)).encode()
        yield f"key-{hashlib.sha256(written).hexdigest()[:40]}.invalid", "127.0.0.1"


def _policy(path: str) -> str:
    """The attributes of one policy. buildx finds the one that lies beside the Dockerfile itself.

    A BuildKit that does not ask policies would ignore it, unless buildx is strict about it.
    """
    strict = ("strict", "true")
    if path == OWN_POLICY:
        return render_attributes([strict])
    return render_attributes([("filename", f"cwd://{path}"), strict])


def _caches(
    job: BuildJob, settings: BuildSettings, workplace: Workplace
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    imports, exports = list(settings.cache_from), list(settings.cache_to)
    if job.definition.inline_cache:
        exports.insert(0, "type=inline")
    for reference in inline_cache_references(job, settings, workplace.reach):
        imports.append(render_attributes((("type", "registry"), ("ref", reference))))
    return tuple(imports), tuple(exports)


def _outputs(job: BuildJob, workplace: Workplace) -> tuple[str, ...]:
    definition = job.definition
    if definition.output == "oci":
        attributes = [("type", "oci"), ("dest", f"../{OUTPUT_LAYOUT}"), ("tar", "false")]
        return (render_attributes([*attributes, *_form(job)]),)
    if definition.output == ARTIFACTS_OUTPUT:
        return (render_attributes([("type", "local"), ("dest", f"../{EXPORT_DIRECTORY}")]),)
    if definition.output == TAR_OUTPUT:
        # The layout is for the config, which no exporter gives alone. BuildKit keeps its layers for
        # whatever else has these steps, so they are compressed like those of any image.
        tar = (("type", "tar"), ("dest", f"../{OUTPUT_ARTIFACTS}/{ROOT_FILESYSTEM}"))
        layout = (("type", "oci"), ("dest", f"../{OUTPUT_LAYOUT}"), ("tar", "false"))
        return render_attributes(tar), render_attributes(layout)
    if definition.output == "docker":
        names = [f"{name}:{build_tag(job.build_digest)}" for name in job.repositories]
        attributes = [("type", "docker"), ("name", render_values(names))]
        return (render_attributes([*attributes, *_compression(definition)]),)
    attributes = [("type", "image"), *_push(job, workplace)]
    registries = {name.partition("/")[0] for name in job.repositories}
    if any(workplace.reach.settings(each).is_plain_http for each in registries):
        attributes.append(("registry.insecure", "true"))
    # The image lives in its registry: a copy in the builder's store would only take up room.
    return (render_attributes([*attributes, ("store", "false"), *_form(job)]),)


def _push(job: BuildJob, workplace: Workplace) -> list[tuple[str, str]]:
    """Where the image is pushed: under its digest, which nobody else's build can move."""
    names = job.repositories
    if len(job.definition.platforms) > 1 and len(workplace.builder.node_platforms) > 1:
        # buildx puts together what several nodes pushed, and under no name but a tag: without one
        # it would move `latest`.
        names = tuple(f"{name}:build-{workplace.attempt}" for name in names)
        return [("name", render_values(names)), ("push", "true")]
    return [("name", render_values(names)), ("push", "true"), ("push-by-digest", "true")]


def _form(job: BuildJob) -> Iterator[tuple[str, str]]:
    """How an image is written that leaves its builder."""
    yield "oci-mediatypes", "true"
    yield from _compression(job.definition)
    if job.definition.reproducible:
        yield "rewrite-timestamp", "true"


def _compression(definition: BuildDefinition) -> Iterator[tuple[str, str]]:
    if definition.compression is not None:
        yield "compression", definition.compression
    if definition.compression_level is not None:
        yield "compression-level", str(definition.compression_level)
    if definition.force_compression:
        yield "force-compression", "true"


def _progress(settings: BuildSettings, workplace: Workplace) -> Progress:
    file = workplace.session.directory / PROGRESS_FILE
    return Progress(
        settings.target,
        file,
        ShownProgress(settings.progress),
        secrets=filter(None, map(_read_secret, workplace.secrets)),
    )


def _read_secret(secret: BuildSecret) -> str | None:
    """The value, or the beginning of a long one, in the characters that a step prints of it."""
    if secret.path is None:
        content = (secret.value or "").encode("utf-8", "surrogateescape")
    else:
        try:
            with open(secret.path, "rb") as file:
                content = file.read(_MOST_HIDDEN_BYTES)
        except OSError:
            # buildx says so.
            return None
    # The last character may be cut off.
    return content.decode("utf-8", "replace").rstrip("\ufffd")


def run_buildx(command: BuildCommand, settings: BuildSettings, workplace: Workplace) -> None:
    """Run one build. Raises `BuildFailedError`, or a `Loss`."""
    progress, timeout = _progress(settings, workplace), settings.build_timeout
    # Values are in the environment of buildx, which only its user can read, unlike its arguments.
    values = {variable: each.value or "" for variable, each in _values(workplace.secrets)}
    arguments = workplace.docker.arguments(render_arguments(command))
    timeline = Timeline(workplace.session.directory, progress.target, workplace.attempt)
    try:
        check_argument_sizes(arguments)
    except ArgumentTooLongError as e:
        raise BuildFailedError(str(e)) from e
    with (
        interrupts_held() as let_interrupts_in,
        subprocess.Popen(
            arguments,
            cwd=workplace.inputs,
            env={
                **_GO_VARIABLES,
                **workplace.docker.environment,
                **dict(workplace.proxies),
                **values,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # If this process is killed, buildx may live on and read the contexts.
            pass_fds=() if workplace.lock is None else (workplace.lock,),
        ) as process,
        Deadline(process, timeout) as deadline,
    ):
        let_interrupts_in()
        assert process.stdout is not None
        _import_registries()
        output = progress.follow(process.stdout.fileno(), timeline.go_on)
        process.wait()
    timeline.end(progress.status, has_failed=process.returncode != 0)
    if progress.has_told:
        # Before Pants says that this process has ended.
        with suppress(NoSessionError, SessionProblemError):
            workplace.session.show_progress()
    if timeout is not None and deadline.has_passed:
        kind = TestsTimeoutError if settings.is_test else BuildTimeoutError
        raise kind(timeout, summarize_failure(output))
    if process.returncode != 0:
        raise _failure(output, process.returncode, workplace)


def _failure(output: str, exit_code: int, workplace: Workplace) -> SolverError:
    failure, layer = summarize_failure(output, exit_code), find_lost_layer(output)
    if layer is not None:
        return LayerLostError(failure, layer)
    repository = find_moved_tag(output)
    if repository is not None:
        return TagMovedError(failure, repository)
    finding = find_git_name_failure(output) if workplace.git_by_name else None
    if finding is not None:
        return GitNameError(failure, finding)
    boot_failure = find_boot_failure(output)
    if boot_failure is not None:
        return UnknownBuilderError(workplace.builder.called, boot_failure)
    refusal = _find_turned_away(output, workplace)
    if refusal is not None:
        return TurnedAwayError(EngineSearch(workplace.docker.environment).described, refusal)
    loss = find_loss(output)
    if loss is None:
        return BuildFailedError(f"{failure}{_where_no_room_is(failure, workplace)}")
    if cannot_be_said(loss, (workplace.inputs / DOCKERFILE).read_bytes()):
        return BuildFailedError(f"{failure}\n{_NO_TEXT}")
    advice = advise_on_loss(workplace.builder, workplace.own_buildx_config)
    return BuilderLostError(workplace.builder.called, loss, advice)


def _find_turned_away(output: str, workplace: Workplace) -> str | None:
    """What it ended with, if the engine's SSH server did not take all connections of a build."""
    missing = find_missing_connection(output)
    if missing is None:
        return find_turned_away(output)
    builder = workplace.builder
    is_address = "://" in builder.endpoint
    host = builder.endpoint if is_address else engine_host(workplace.docker, builder)
    return missing if host.startswith("ssh://") else None


def _where_no_room_is(failure: str, workplace: Workplace) -> str:
    """What to do about a full disk of this machine, which buildx names by a path in the sandbox."""
    error = final_error(failure.split("\n"))
    exports = (OUTPUT_LAYOUT, EXPORT_DIRECTORY, OUTPUT_ARTIFACTS)
    if _NO_ROOM not in error or not any(f" ../{name}/" in error for name in exports):
        return ""
    sandboxes = workplace.inputs.parent.parent
    return f"\nMake room in {sandboxes}, or choose another `[GLOBAL].local_execution_root_dir`."


def _import_registries() -> None:
    """Import what is needed once buildx has ended, which takes a while: buildx works meanwhile."""
    import pants_docker_buildkit.solver.pushed_image  # noqa: F401


def _advise(failure: str, target: str) -> str:
    """What to do where BuildKit may not read something, or it, buildx or a registry refuses it.

    What failed otherwise, but in the push, fails by hand as well.
    """
    denial = explain_denial(failure, target)
    if denial:
        return f"\n{denial}"
    refusal = explain_refusal(failure)
    if refusal:
        return f"\n{refusal}"
    if "failed to push" not in failure:
        return f"\n{REPEAT_BY_HAND}"
    rule = find_rule(failure)
    return f"\n{_PUSH_AGAIN if rule is None else rule.next_step}"


def _platform_images(
    job: BuildJob, metadata: BuildMetadata, workplace: Workplace, pushed: PushedImage
) -> tuple[PlatformImage, ...]:
    root = Descriptor(metadata.media_type, metadata.digest, metadata.size)
    if job.definition.output == "oci":
        layout = open_output_layout(workplace.inputs.parent / OUTPUT_LAYOUT)
        return _read_platforms(root, layout.read, workplace)
    if not pushed.is_anywhere:
        # The engine has it, and nobody builds on it.
        definition = job.definition
        platform = ImagePlatform.parse(definition.platform_of_base or definition.platforms[0])
        config = find_config_digest(workplace.docker, workplace.builder_name, metadata)
        return (PlatformImage(platform, metadata.digest, config),)
    return _read_platforms(root, pushed.read, workplace)


def _read_platforms(
    root: Descriptor, read: ReadContent, workplace: Workplace
) -> tuple[PlatformImage, ...]:
    """The images for each platform. How large they are is left behind for the report."""
    found = read_platform_manifests(root, read)
    sizes = [
        (str(image.platform), [layer.size for layer in manifest.layers])
        for image, manifest in found
    ]
    write_sizes(workplace.session.directory, workplace.attempt, sizes)
    return tuple(image for image, _ in found)
