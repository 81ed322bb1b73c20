"""Build an image, or find that it is built: one cacheable process, confirmed by the registry."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

from pants.base.build_environment import get_buildroot
from pants.engine.engine_aware import EngineAwareReturnType
from pants.engine.fs import Digest, RemovePrefix
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.option.global_options import GlobalOptions
from pants.util.logging import LogLevel

from pants_docker_buildkit.build_history import (
    history_path,
    read_past_build,
    read_past_inputs,
    write_past_build,
)
from pants_docker_buildkit.compat import execute_process, implicitly, remove_prefix, rule
from pants_docker_buildkit.errors import (
    ImageBuildError,
    ImageCheckError,
    ImageLostError,
    ImageNotBuiltError,
    ImageNotKeptError,
    ImageSourceChangedError,
    InvalidRecordError,
    LocalTagError,
    NoImageError,
)
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import (
    LOST_RECORD,
    Reason,
    explain_build,
    lost_image,
    reason_line,
)
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    CACHE_NAME,
    EXIT_CONTEXT_NEEDED,
    EXIT_NO_SESSION,
    event_path,
)
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.errors import EXIT_SOURCE_CHANGED
from pants_docker_buildkit.solver.failure import describe_killing
from pants_docker_buildkit.solver.input_tree import MUTABLE_MARKER, OUTPUT_ARTIFACTS, OUTPUT_LAYOUT
from pants_docker_buildkit.solver.result import (
    InvalidBuildResultError,
    check_artifacts_result,
    parse_build_result,
)
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_settings import read_build_settings
from pants_docker_buildkit.util_rules.confirmation import (
    ConfirmationRequest,
    ImageConfirmation,
    LocalConfirmationRequest,
    confirm_image,
    confirm_local_image,
)
from pants_docker_buildkit.util_rules.contexts import prepare_contexts
from pants_docker_buildkit.util_rules.definition import (
    ImageDefinition,
    ImageDefinitionRequest,
    define_image,
)
from pants_docker_buildkit.util_rules.image_names import output_of_run
from pants_docker_buildkit.util_rules.materials import merge_materials
from pants_docker_buildkit.util_rules.missing_images import find_all_missing
from pants_docker_buildkit.util_rules.session import keep_session, mark_session, running_session
from pants_docker_buildkit.util_rules.session_process import cached_process, look_up, said

logger = logging.getLogger(__name__)

# The first brings what is not known to be there, the last brings everything.
_ATTEMPTS = 3

# In a session that is not opened yet, Pants runs what failed in the last one again.
_NOT_CACHED = (EXIT_CONTEXT_NEEDED, EXIT_NO_SESSION)

# Each loss of an image in its registry adds one link to the chain of builds that replace it.
_MAX_GENERATIONS = 64


class ImageOutcome(str, Enum):
    """How an image came to be there in this session."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    BUILT = "built"


@dataclass(frozen=True)
class BuildImageRequest:
    """Asks for the image of a target, built if need be.

    A test has so many seconds as its `timeout`. With `is_forced` it is built in each session,
    whatever the caches of Pants have, and they do not get it.
    """

    field_set: BuildKitImageFieldSet
    timeout: Optional[int] = None
    is_forced: bool = False


@dataclass(frozen=True)
class BuiltImage(EngineAwareReturnType):
    """An image that is where its record says. `layout` is its tree for `output="oci"`.

    `reasons` are why it was built, if it was, and else why it would have been.
    """

    record: ImageRecord
    definition: BuildDefinition
    output: ImageOutput
    layout: Digest | None
    outcome: ImageOutcome
    reasons: tuple[Reason, ...]

    def metadata(self) -> dict[str, Any]:
        """What those see who take workunits from Pants, such as its OpenTelemetry backend."""
        is_built = self.outcome is ImageOutcome.BUILT
        return {
            "image.target": self.record.target,
            "image.outcome": self.outcome.value,
            "image.reason": reason_line(self.reasons) if is_built else "",
            "image.digest": self.record.image_digest,
            "image.references": " ".join(self.record.references),
            "image.build_digest": self.record.result.build_digest,
        }


@dataclass(frozen=True)
class BuiltFiles:
    """The files of a target, with the paths that they have in its stage.

    `reasons` are as those of an image.
    """

    tree: Digest
    definition: BuildDefinition
    outcome: ImageOutcome
    reasons: tuple[Reason, ...]


_OUTPUT_DIRECTORIES = MappingProxyType(
    {
        ImageOutput.OCI: (OUTPUT_LAYOUT,),
        ImageOutput.FILES: (OUTPUT_ARTIFACTS,),
        ImageOutput.TAR: (OUTPUT_ARTIFACTS,),
    }
)


def _build_process(
    definition: ImageDefinition, generation: int, description: str, attempt: int = 0
) -> Process:
    """The one cacheable process. Nothing in its key knows this machine, session or user.

    That with the `attempt` 0 runs no build.
    """
    return cached_process(
        *(BUILD_COMMAND, definition.key, str(generation)),
        attempt=attempt,
        description=description,
        input_digest=definition.inputs,
        output_files=(MUTABLE_MARKER,),
        output_directories=_OUTPUT_DIRECTORIES.get(definition.output, ()),
        level=LogLevel.INFO if attempt else LogLevel.DEBUG,
    )


def _explain_end(exit_code: int) -> str:
    """Why a build process ended that could not say it itself; empty if it could."""
    if exit_code == EXIT_CONTEXT_NEEDED:
        return (
            f"Its context changed again and again while it was made, in '{CACHE_NAME}' below"
            " `named_caches_dir`. Run this again, and check which other program writes there."
        )
    if exit_code == EXIT_NO_SESSION:
        return (
            f"Its session's directory vanished from '{CACHE_NAME}' below `named_caches_dir`. Run"
            " this again, and check whether something cleans that directory."
        )
    return describe_killing("The build process", exit_code)


def _read_record(definition: ImageDefinition, result: FallibleProcessResult) -> ImageRecord | None:
    """The record of the image that a build gave; `None` of one that gave files."""
    if result.exit_code != 0:
        if result.exit_code == EXIT_SOURCE_CHANGED:
            raise ImageSourceChangedError(definition.address, said(result))
        end = _explain_end(result.exit_code)
        raise ImageBuildError(definition.address, f"{said(result)}\n{end}")
    try:
        if not definition.output.is_image:
            check_artifacts_result(result.stdout, definition.job.build_digest)
            return None
        platforms = len(definition.job.definition.platforms)
        build_result = parse_build_result(result.stdout, definition.job.build_digest, platforms)
    except InvalidBuildResultError as e:
        raise InvalidRecordError(definition.address, str(e)) from e
    materials = definition.materials
    known = () if materials is None else merge_materials(materials, build_result.materials)
    return ImageRecord(
        target=definition.address.spec,
        context_digest=definition.context_digest,
        result=replace(build_result, materials=known),
        repositories=definition.job.repositories,
    )


@dataclass(frozen=True)
class _Solved:
    """A result that is true now. `reasons` are why the last build of the chain was needed.

    `seconds` are how long that took, if it ran in this session. `record` is `None` of files, which
    are `output`.
    """

    record: ImageRecord | None
    output: Digest
    reasons: tuple[Reason, ...]
    seconds: float | None


@dataclass(frozen=True)
class _Place:
    """Where the build of a definition is tried. With `only_looks_up`, nothing is built.

    With `is_plan`, the local engine is not told of tags either. With `expects_build`, contexts are
    laid out before the caches are asked, which then takes one process and not three. With
    `is_forced`, none is asked.
    """

    keeper: SessionKeeper
    session: Path
    only_looks_up: bool
    is_plan: bool
    expects_build: bool = False
    is_forced: bool = False

    def seconds(self, definition: ImageDefinition, generation: int) -> float | None:
        """How long the build took that this session ran; `None` if it ran none."""
        try:
            event = event_path(self.session, definition.key, generation).read_bytes()
        except OSError:
            return None
        return float(json.loads(event)["seconds"])


async def _confirm(
    definition: ImageDefinition,
    record: ImageRecord,
    generation: int,
    *,
    was_built: bool,
    tags: tuple[str, ...],
) -> ImageConfirmation:
    """Whether the image is where its record says. A layout always is."""
    if definition.output is ImageOutput.REGISTRY:
        references = tuple(ImageReference.parse(each) for each in record.references)
        request = ConfirmationRequest(references, was_pushed=was_built)
        return await confirm_image(request, **implicitly())
    if definition.output is ImageOutput.DOCKER:
        question = LocalConfirmationRequest(
            definition.address, generation, record.references[0], tags
        )
        return await confirm_local_image(question, **implicitly())
    return ImageConfirmation()


def _describe_confirmation(confirmation: ImageConfirmation, output: str) -> str:
    if confirmation.problem:
        return f"whether it is there is not known: {confirmation.problem}"
    if confirmation.missing:
        return f"lost: {', '.join(confirmation.missing)}."
    return "a layout needs no confirmation." if output == "oci" else "it is there in this session."


def describe_inputs(definition: ImageDefinition) -> BuildInputs:
    """What the next build will say that it differs from."""
    job = definition.job
    return BuildInputs.create(
        job.build_digest, job.definition, definition.dockerfile, definition.contexts
    )


async def _run(
    definition: ImageDefinition, generation: int, place: _Place, reasons: tuple[Reason, ...]
) -> FallibleProcessResult:
    """What came of a build that no cache has. Its contexts are brought up to date before."""
    keeper = place.keeper
    keeper.running.builds.start()
    name = keeper.running.answers.context_name(definition.key)
    reason = reason_line(reasons)
    keeper.running.reasons[definition.address.spec] = reason
    keeper.running.asked.setdefault(definition.address.spec, time.time())
    description = f"Build {definition.address} ({reason})"
    for number in range(1, _ATTEMPTS + 1):
        attempt = keeper.attempt(definition.key, generation, number)
        is_last = number == _ATTEMPTS
        await prepare_contexts(
            definition, generation, place.session, name, attempt, with_all=is_last
        )
        process = _build_process(definition, generation, description, attempt)
        if place.is_forced:
            process = replace(process, cache_scope=ProcessCacheScope.PER_SESSION)
        result = await execute_process(process, **implicitly())
        if result.exit_code != EXIT_CONTEXT_NEEDED or is_last:
            return result
    raise AssertionError("unreachable")


async def _find_or_run(
    definition: ImageDefinition, generation: int, place: _Place, reasons: tuple[Reason, ...]
) -> FallibleProcessResult:
    """The result of a build, from a cache or from a builder.

    Raises `ImageNotBuiltError` where only the former was to be asked and has none.
    """
    question = f"Look up the image of {definition.address}"
    process = _build_process(definition, generation, question)
    if place.only_looks_up:
        found = await look_up(process)
        if found is None:
            raise ImageNotBuiltError(definition.address, reasons)
        return found
    if place.is_forced or (place.expects_build and generation == 0):
        return await _run(definition, generation, place, reasons)
    result = await execute_process(process, **implicitly())
    if result.exit_code in _NOT_CACHED:
        return await _run(definition, generation, place, reasons)
    return result


async def _solve(
    definition: ImageDefinition, place: _Place, reasons: tuple[Reason, ...]
) -> _Solved:
    """The first generation of the build whose image is where its record says.

    An image that was lost is built again as the next generation, which is a process with a key of
    its own. So all machines walk the same chain, and find the last link in the cache.
    """
    tags = () if place.is_plan else definition.local_tags
    for generation in range(_MAX_GENERATIONS):
        result = await _find_or_run(definition, generation, place, reasons)
        record = _read_record(definition, result)
        seconds = place.seconds(definition, generation)
        if record is None:
            return _Solved(record, result.output_digest, reasons, seconds)
        where = definition.output.value
        logger.debug(
            f"{definition.address}: generation {generation} was"
            f" {'in a cache of Pants' if seconds is None else 'built'}: {record.result.digest}"
            f" ({where}: {', '.join(record.references) or 'no reference'})."
        )
        confirmation = await _confirm(
            definition, record, generation, was_built=seconds is not None, tags=tags
        )
        logger.debug(f"{definition.address}: {_describe_confirmation(confirmation, where)}")
        if confirmation.problem:
            raise ImageCheckError(definition.address, confirmation.problem)
        for tag, finding in confirmation.refused_tags:
            raise LocalTagError(definition.address, tag, finding)
        if not confirmation.missing:
            return _Solved(record, result.output_digest, reasons, seconds)
        lost = confirmation.missing[0]
        if seconds is not None:
            raise ImageNotKeptError(definition.address, lost)
        reasons = (lost_image(lost),)
    raise ImageLostError(definition.address, _MAX_GENERATIONS)


@dataclass(frozen=True)
class _Built:
    """What came of a definition. `is_same` tells that it is the one that was built last here."""

    definition: ImageDefinition
    solved: _Solved
    is_same: bool


async def _define_and_solve(
    request: BuildImageRequest,
    subsystem: DockerBuildKitSubsystem,
    global_options: GlobalOptions,
    attempt: int,
) -> _Built:
    field_set = request.field_set
    definition = await define_image(ImageDefinitionRequest(field_set, attempt), **implicitly())
    keeper = await keep_session(**implicitly())
    running = await running_session()
    settings = await read_build_settings(field_set, subsystem)
    if request.timeout is not None:
        settings = replace(settings, build_timeout=request.timeout, is_test=True)
    only_looks_up = running.is_plan or subsystem.require_built
    if not only_looks_up:
        running.answers.add_build(definition.key, settings)
    history = image_history(running.directory, field_set, subsystem)
    past = read_past_build(history)
    is_same = past is not None and past.build_digest == definition.job.build_digest
    reasons: tuple[Reason, ...] = (LOST_RECORD,)
    # What another machine may have built meanwhile is worth a question first.
    expects_build = past is not None and not is_same and not global_options.remote_cache_read
    place = _Place(
        keeper,
        running.directory,
        only_looks_up,
        is_plan=running.is_plan,
        expects_build=expects_build,
        is_forced=request.is_forced,
    )
    if not is_same:
        reasons = explain_build(read_past_inputs(history), describe_inputs(definition))
    logger.debug(
        f"{field_set.address}: key {definition.key}, build digest {definition.job.build_digest},"
        f" context digest {definition.context_digest};"
        f" {'as last time here' if is_same else reason_line(reasons)}."
    )
    solved = await _solve(definition, place, reasons)
    if not running.is_plan and (not is_same or solved.seconds is not None):
        seconds = past.seconds if past is not None and solved.seconds is None else solved.seconds
        write_past_build(history, describe_inputs(definition), seconds)
    return _Built(definition, solved, is_same)


async def _build(
    request: BuildImageRequest,
    subsystem: DockerBuildKitSubsystem,
    global_options: GlobalOptions,
    attempt: int,
) -> _Built:
    """What comes of a target. Where nothing may be built, its failure names all that is missing."""
    field_set = request.field_set
    keeper = await keep_session(**implicitly())
    running = await running_session()
    # Tests name variants of an image, which need what it needs.
    with keeper.missing.looking(field_set.dependencies.address.spec):
        try:
            return await _define_and_solve(request, subsystem, global_options, attempt)
        except ImageNotBuiltError as e:
            if running.is_plan or e.address != field_set.address:
                raise
            reasons = e.reasons
            keeper.missing.add(field_set.address.spec, reason_line(reasons))
    missing = await find_all_missing(keeper.missing, running)
    raise ImageNotBuiltError(field_set.address, reasons, missing)


def image_history(
    session: Path, field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> Path:
    """Where it is kept what the last `package` of a target was built from.

    What the option `output` chooses has a history of its own, so that to switch changes neither.
    So has the layout of an image for the local engine that others are built on.
    """
    output = output_of_run(field_set, subsystem.output)
    if field_set.is_upstream and field_set.output.value == ImageOutput.DOCKER.value:
        output = ImageOutput.OCI
    suffix = "" if output is None else f" {output.value}"
    return history_path(session.parent, get_buildroot(), f"{field_set.address.spec}{suffix}")


async def _build_current(
    request: BuildImageRequest,
    subsystem: DockerBuildKitSubsystem,
    global_options: GlobalOptions,
) -> tuple[_Built, ImageOutcome]:
    """What came of a target as it is now, and how."""
    try:
        built = await _build(request, subsystem, global_options, 0)
    except ImageSourceChangedError:
        # Since the definition was made. What there is now is another image.
        built = await _build(request, subsystem, global_options, 1)
    solved = built.solved
    if solved.seconds is not None:
        outcome = ImageOutcome.BUILT
    elif built.is_same:
        outcome = ImageOutcome.UNCHANGED
    else:
        outcome = ImageOutcome.RESTORED
    why = f" ({reason_line(solved.reasons)})" if outcome is ImageOutcome.BUILT else ""
    logger.debug(f"{request.field_set.address}: {outcome.value}{why}.")
    if outcome is not ImageOutcome.UNCHANGED:
        # In the next session it is, if nothing changes, although this rule would not run again.
        await mark_session(**implicitly())
    return built, outcome


@rule(desc="Build image with BuildKit", level=LogLevel.DEBUG)
async def build_image(
    request: BuildImageRequest, subsystem: DockerBuildKitSubsystem, global_options: GlobalOptions
) -> BuiltImage:
    field_set = request.field_set
    artifacts = field_set.artifacts_field
    if artifacts is not None:
        raise NoImageError(artifacts.alias, field_set.address)
    built, outcome = await _build_current(request, subsystem, global_options)
    solved, output = built.solved, built.definition.output
    assert solved.record is not None
    layout = None
    if output is ImageOutput.OCI:
        layout = await remove_prefix(RemovePrefix(solved.output, OUTPUT_LAYOUT))
    definition = built.definition.job.definition
    return BuiltImage(solved.record, definition, output, layout, outcome, solved.reasons)


@rule(desc="Build files with BuildKit")
async def build_files(
    field_set: BuildKitImageFieldSet,
    subsystem: DockerBuildKitSubsystem,
    global_options: GlobalOptions,
) -> BuiltFiles:
    image = BuildImageRequest(field_set)
    built, outcome = await _build_current(image, subsystem, global_options)
    tree = await remove_prefix(RemovePrefix(built.solved.output, OUTPUT_ARTIFACTS))
    definition = built.definition.job.definition
    return BuiltFiles(tree, definition, outcome, built.solved.reasons)


def rules() -> Iterable[Rule]:
    return collect_rules()
