"""Build an image, or find that it is built: one cacheable process, confirmed by the registry."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pants.base.build_environment import get_buildroot
from pants.engine.fs import Digest, RemovePrefix
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.util.logging import LogLevel

from pants_docker_buildkit.build_history import (
    PastBuild,
    explain_build,
    history_path,
    read_past_build,
    write_past_build,
)
from pants_docker_buildkit.compat import execute_process, implicitly, remove_prefix, rule
from pants_docker_buildkit.errors import (
    ImageBuildError,
    ImageNotKeptError,
    InvalidRecordError,
    RegistryCheckError,
)
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, path_from_buildroot
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.solver.build import LAYOUT_DIRECTORY
from pants_docker_buildkit.solver.errors import EXIT_NO_SESSION
from pants_docker_buildkit.solver.main import BUILD_COMMAND
from pants_docker_buildkit.solver.profile import BuildSettings, settings_path
from pants_docker_buildkit.solver.result import InvalidBuildResultError, parse_build_result
from pants_docker_buildkit.subsystem import BuildProgress, DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.confirmation import ConfirmationRequest, confirm_image
from pants_docker_buildkit.util_rules.definition import (
    ImageDefinition,
    ImageDefinitionRequest,
    define_image,
)
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistries,
    ConfiguredRegistriesRequest,
    read_configured_registries,
)
from pants_docker_buildkit.util_rules.session import (
    CACHE_LINK,
    CACHE_NAME,
    PROCESS_PATH,
    RUN_SCRIPT,
    SessionRequest,
    open_session,
    write_private,
)

# A remote hit must not start a build that is then thrown away.
_REMOTE_CACHE_PATIENCE_MILLIS = 60_000

# Each loss of an image in its registry adds one link to the chain of builds that replace it.
_MAX_GENERATIONS = 64


class ImageOutcome(str, Enum):
    """How an image came to be there in this session."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    BUILT = "built"


@dataclass(frozen=True)
class BuildImageRequest:
    """Asks for the image of a target, built if need be."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class BuiltImage:
    """An image that is where its record says. `layout` is its tree for `output="oci"`."""

    record: ImageRecord
    layout: Digest | None
    outcome: ImageOutcome
    reason: str


@rule(desc="Build image with BuildKit")
async def build_image(request: BuildImageRequest, subsystem: DockerBuildKitSubsystem) -> BuiltImage:
    field_set = request.field_set
    definition = await define_image(ImageDefinitionRequest(field_set), **implicitly())
    session = await open_session(SessionRequest(), **implicitly())
    registries = await read_configured_registries(ConfiguredRegistriesRequest(), **implicitly())
    key = hashlib.sha256(definition.job.to_json()).hexdigest()[:32]
    settings = _settings(field_set, subsystem, registries)
    write_private(settings_path(session.path, key), settings.to_json())
    history = history_path(session.path.parent, get_buildroot(), field_set.address.spec)
    past = read_past_build(history)
    now = PastBuild.create(
        definition.job.build_digest, definition.job.definition.as_map(), dict(definition.files)
    )
    reason = explain_build(past, now)
    for generation in range(_MAX_GENERATIONS):
        process = _build_process(definition, key, generation, reason)
        result = await execute_process(process, **implicitly())
        if result.exit_code == EXIT_NO_SESSION:
            # The result is that of a run from before this session had its directory. Another name
            # for the cache makes it another run with the same key.
            process = _build_process(definition, key, generation, reason, f"{CACHE_NAME}_again")
            result = await execute_process(process, **implicitly())
        record = _read_record(definition, result)
        confirmation = await confirm_image(
            _confirmation_request(definition, record, key, generation), **implicitly()
        )
        if confirmation.problem:
            raise RegistryCheckError(field_set.address, confirmation.problem)
        if not confirmation.missing:
            break
        if confirmation.was_built:
            raise ImageNotKeptError(field_set.address, confirmation.missing[0])
        reason = f"lost in {confirmation.missing[0].partition('@')[0]}"
    else:
        raise ImageNotKeptError(field_set.address, record.references[0])
    layout = None
    if definition.output is ImageOutput.OCI:
        layout = await remove_prefix(RemovePrefix(result.output_digest, LAYOUT_DIRECTORY))
    if past != now:
        write_past_build(history, now)
    if confirmation.was_built:
        outcome = ImageOutcome.BUILT
    elif past is not None and past.build_digest == now.build_digest:
        outcome = ImageOutcome.UNCHANGED
    else:
        outcome = ImageOutcome.RESTORED
    return BuiltImage(record, layout, outcome, reason if outcome is ImageOutcome.BUILT else "")


def _build_process(
    definition: ImageDefinition,
    key: str,
    generation: int,
    reason: str,
    cache_name: str = CACHE_NAME,
) -> Process:
    """The one cacheable process. Nothing in its key knows this machine, session or user."""
    return Process(
        argv=("/bin/sh", "-c", RUN_SCRIPT, BUILD_COMMAND, BUILD_COMMAND, key, str(generation)),
        description=f"Build {definition.address} ({reason})",
        env={"PATH": PROCESS_PATH},
        input_digest=definition.inputs,
        output_directories=((LAYOUT_DIRECTORY,) if definition.output is ImageOutput.OCI else ()),
        append_only_caches={cache_name: CACHE_LINK},
        cache_scope=ProcessCacheScope.SUCCESSFUL,
        remote_cache_speculation_delay_millis=_REMOTE_CACHE_PATIENCE_MILLIS,
        level=LogLevel.INFO,
    )


def _confirmation_request(
    definition: ImageDefinition, record: ImageRecord, key: str, generation: int
) -> ConfirmationRequest:
    if definition.output is ImageOutput.REGISTRY:
        return ConfirmationRequest(key, generation, references=record.references)
    if definition.output is ImageOutput.DOCKER:
        return ConfirmationRequest(
            key,
            generation,
            local_reference=record.references[0],
            local_tags=definition.local_tags,
        )
    return ConfirmationRequest(key, generation)


def _read_record(definition: ImageDefinition, result: FallibleProcessResult) -> ImageRecord:
    if result.exit_code != 0:
        raise ImageBuildError(definition.address, result.stderr.decode("utf-8", "replace"))
    try:
        build_result = parse_build_result(result.stdout, definition.job.build_digest)
    except InvalidBuildResultError as e:
        raise InvalidRecordError(definition.address, str(e)) from e
    return ImageRecord(
        target=definition.address.spec,
        context_digest=definition.context_digest,
        result=build_result,
        repositories=definition.job.repositories,
    )


def _settings(
    field_set: BuildKitImageFieldSet,
    subsystem: DockerBuildKitSubsystem,
    registries: ConfiguredRegistries,
) -> BuildSettings:
    return BuildSettings(
        target=field_set.address.spec,
        builder=field_set.builder.value or subsystem.builder,
        cache_from=(*subsystem.cache_from, *(field_set.cache_from.value or ())),
        cache_to=(*subsystem.cache_to, *(field_set.cache_to.value or ())),
        inline_cache_tag=subsystem.inline_cache_tag,
        secrets=tuple(
            (name, _absolute(path, field_set))
            for name, path in sorted((field_set.secrets.value or {}).items())
        ),
        ssh=tuple(field_set.ssh.value or ()),
        shows_progress=subsystem.progress is BuildProgress.PLAIN,
        insecure_registries=tuple(each.address for each in registries.all if each.is_insecure),
    )


def _absolute(path: str, field_set: BuildKitImageFieldSet) -> str:
    return os.path.join(get_buildroot(), path_from_buildroot(path, field_set.address))


def rules() -> Iterable[Rule]:
    return collect_rules()
