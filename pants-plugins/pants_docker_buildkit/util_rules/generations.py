"""Which generation of a build is where its record says? Each is one cacheable process."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pants.engine.fs import Digest
from pants.engine.process import (
    FallibleProcessResult,
    Process,
    ProcessCacheScope,
    ProcessResultMetadata,
)
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly
from pants_docker_buildkit.errors import (
    ImageBuildError,
    ImageCheckError,
    ImageLostError,
    ImageNotKeptError,
    ImageSourceChangedError,
    InvalidRecordError,
    LocalTagError,
)
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.plans.reasons import Reason, lost_image, reason_line
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    EXIT_CONTEXT_NEEDED,
    EXIT_NO_SESSION,
    event_path,
)
from pants_docker_buildkit.session.running import RunningSession, SessionKeeper
from pants_docker_buildkit.solver.errors import EXIT_SOURCE_CHANGED
from pants_docker_buildkit.solver.input_tree import MUTABLE_MARKER, OUTPUT_ARTIFACTS, OUTPUT_LAYOUT
from pants_docker_buildkit.solver.result import (
    InvalidBuildResultError,
    check_artifacts_result,
    parse_build_result,
)
from pants_docker_buildkit.util_rules.confirmation import (
    ConfirmationRequest,
    ImageConfirmation,
    LocalConfirmationRequest,
    confirm_image,
    confirm_local_image,
)
from pants_docker_buildkit.util_rules.contexts import prepare_contexts
from pants_docker_buildkit.util_rules.definition import ImageDefinition
from pants_docker_buildkit.util_rules.materials import merge_materials
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    look_up,
    said,
    why_failed,
)

logger = logging.getLogger(__name__)

# The first brings what is not known to be there, the last brings everything.
_ATTEMPTS = 3

# In a session that is not opened yet, Pants runs what failed in the last one again.
_NOT_CACHED = (EXIT_CONTEXT_NEEDED, EXIT_NO_SESSION)

# Each loss of an image in its registry adds one link to the chain of builds that replace it.
_MAX_GENERATIONS = 64

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


def _read_record(definition: ImageDefinition, result: FallibleProcessResult) -> ImageRecord | None:
    """The record of the image that a build gave; `None` of one that gave files."""
    if result.exit_code != 0:
        if result.exit_code == EXIT_SOURCE_CHANGED:
            raise ImageSourceChangedError(definition.address, said(result))
        raise ImageBuildError(definition.address, why_failed(result), result.metadata)
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
class Solved:
    """A result that is true now. `reasons` are why the last build of the chain was needed.

    `seconds` are how long that took, if it ran in this session. `record` is `None` of files, which
    are `output`. `process` is what Pants says of the process, and no part of the result.
    """

    record: ImageRecord | None
    output: Digest
    reasons: tuple[Reason, ...]
    seconds: float | None
    process: ProcessResultMetadata = field(compare=False)


@dataclass(frozen=True)
class Unsolved:
    """No cache has the result, and nothing may be built. `reasons` are why it would be."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Place:
    """Where the build of a definition is tried. With `only_looks_up`, nothing is built.

    With `expects_build`, contexts are laid out before the caches are asked, which then takes one
    process and not two or three. With `is_forced`, none is asked.
    """

    keeper: SessionKeeper
    running: RunningSession
    only_looks_up: bool
    expects_build: bool = False
    is_forced: bool = False

    def seconds(self, definition: ImageDefinition, generation: int) -> float | None:
        """How long the build took that this session ran; `None` if it ran none."""
        try:
            event = event_path(self.running.directory, definition.key, generation).read_bytes()
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


async def _run(
    definition: ImageDefinition, generation: int, place: Place, reasons: tuple[Reason, ...]
) -> FallibleProcessResult:
    """What came of a build that no cache has. Its contexts are brought up to date before."""
    running, keeper, target = place.running, place.keeper, definition.address.spec
    keeper.builds.serve(running.directory)
    name = running.answers.context_name(definition.key)
    reason = running.reasons[target] = reason_line(reasons)
    running.asked.setdefault(target, time.time())
    description = f"Build {definition.address} ({reason})"
    for number in range(1, _ATTEMPTS + 1):
        attempt = keeper.attempt(definition.key, generation, number)
        is_last = number == _ATTEMPTS
        await prepare_contexts(
            definition, generation, running.directory, name, attempt, with_all=is_last
        )
        process = _build_process(definition, generation, description, attempt)
        if place.is_forced:
            process = replace(process, cache_scope=ProcessCacheScope.PER_SESSION)
        result = await execute_process(process, **implicitly())
        if result.exit_code == 0 and not place.is_forced:
            keeper.note_built(definition.key, generation, attempt)
        if result.exit_code != EXIT_CONTEXT_NEEDED or is_last:
            return result
    raise AssertionError("unreachable")


async def _find_or_run(
    definition: ImageDefinition, generation: int, place: Place, reasons: tuple[Reason, ...]
) -> FallibleProcessResult | None:
    """The result of a build, from a cache or from a builder.

    `None` where only the former was to be asked and has none.
    """
    question = f"Look up the image of {definition.address}"
    built_by = place.keeper.built_by(definition.key, generation)
    if built_by is not None and not place.is_forced:
        # Another goal of this command. Pants knows what came of that process, also where it keeps
        # no cache: otherwise this would be built again, and might come out another.
        process = _build_process(definition, generation, question, built_by)
        result = await execute_process(process, **implicitly())
        if result.exit_code not in _NOT_CACHED:
            return result
    process = _build_process(definition, generation, question)
    if place.only_looks_up:
        return await look_up(process)
    if place.is_forced or (place.expects_build and generation == 0):
        return await _run(definition, generation, place, reasons)
    result = await execute_process(process, **implicitly())
    if result.exit_code in _NOT_CACHED:
        return await _run(definition, generation, place, reasons)
    return result


async def solve(
    definition: ImageDefinition, place: Place, reasons: tuple[Reason, ...]
) -> Solved | Unsolved:
    """The first generation of the build whose image is where its record says.

    An image that was lost is built again as the next generation, which is a process with a key of
    its own. So all machines walk the same chain, and find the last link in the cache.
    """
    # A plan does not tell the local engine of tags.
    tags = () if place.running.is_plan else definition.local_tags
    for generation in range(_MAX_GENERATIONS):
        result = await _find_or_run(definition, generation, place, reasons)
        if result is None:
            return Unsolved(reasons)
        record = _read_record(definition, result)
        seconds = place.seconds(definition, generation)
        if record is None:
            return Solved(record, result.output_digest, reasons, seconds, result.metadata)
        where = definition.output.value
        logger.debug(
            f"{definition.address}: generation {generation} was"
            f" {'in a cache of Pants' if seconds is None else 'built'}: {record.result.digest}"
            f" ({where}: {', '.join(record.references) or 'no reference'})."
        )
        if definition.output is ImageOutput.DOCKER:
            place.running.local_tags.note(definition.address.spec, record.references[0])
        confirmation = await _confirm(
            definition, record, generation, was_built=seconds is not None, tags=tags
        )
        logger.debug(f"{definition.address}: {_describe_confirmation(confirmation, where)}")
        if confirmation.problem:
            raise ImageCheckError(definition.address, confirmation.problem)
        for tag, finding in confirmation.refused_tags:
            raise LocalTagError(definition.address, tag, finding)
        if not confirmation.missing:
            return Solved(record, result.output_digest, reasons, seconds, result.metadata)
        lost = confirmation.missing[0]
        if seconds is not None:
            raise ImageNotKeptError(definition.address, lost)
        reasons = (lost_image(lost),)
    raise ImageLostError(definition.address, _MAX_GENERATIONS)
