"""Build an image, or the files of a stage, or find that it is built, and say how that came."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Optional

from pants.base.build_environment import get_buildroot
from pants.engine.engine_aware import EngineAwareReturnType
from pants.engine.fs import Digest, RemovePrefix
from pants.engine.process import ProcessResultMetadata
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import implicitly, remove_prefix, rule
from pants_docker_buildkit.errors import ImageNotBuiltError, ImageSourceChangedError, NoImageError
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.plans.build_history import (
    History,
    PastBuild,
    history_path,
    write_past_build,
)
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import LOST_RECORD, Reason, reason_line
from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.running import RunningSession, SessionKeeper
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.input_tree import OUTPUT_ARTIFACTS, OUTPUT_LAYOUT
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_settings import BuildOptions, build_settings
from pants_docker_buildkit.util_rules.contexts import takes_no_process
from pants_docker_buildkit.util_rules.definition import (
    ImageDefinition,
    ImageDefinitionRequest,
    define_image,
)
from pants_docker_buildkit.util_rules.generations import Place, Solved, Unsolved, solve
from pants_docker_buildkit.util_rules.image_names import output_of_run
from pants_docker_buildkit.util_rules.needed_targets import (
    NeededTargetsRequest,
    find_needed_targets,
)
from pants_docker_buildkit.util_rules.session import Session, wait_for

logger = logging.getLogger(__name__)


class ImageOutcome(str, Enum):
    """How an image came to be there in this session."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    BUILT = "built"


class _OfSession(EngineAwareReturnType):
    """What a rule gives that has to be found out anew in each session until it is unchanged."""

    outcome: ImageOutcome

    def cacheable(self) -> bool:
        """Whether the next session takes it over. In that one, what was built now is unchanged."""
        return self.outcome is ImageOutcome.UNCHANGED


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
class BuiltImage(_OfSession):
    """An image that is where its record says. `layout` is its tree for `output="oci"`.

    `reasons` are why it was built, if it was, and else why it would have been. `process` is what
    Pants says of the process that gave it, for summaries.
    """

    record: ImageRecord
    definition: BuildDefinition
    output: ImageOutput
    layout: Digest | None
    outcome: ImageOutcome
    reasons: tuple[Reason, ...]
    process: ProcessResultMetadata = field(compare=False)

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
class BuiltFiles(_OfSession):
    """The files of a target, with the paths that they have in its stage.

    `reasons` are as those of an image.
    """

    tree: Digest
    definition: BuildDefinition
    outcome: ImageOutcome
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class FoundImage:
    """What there is of a definition: an image, or the files of a stage, or neither.

    `past` is what the last `package` found. `known_inputs` are given where it found another build.
    """

    definition: ImageDefinition
    past: PastBuild | None
    known_inputs: BuildInputs | None
    solved: Solved | Unsolved

    def inputs(self) -> BuildInputs:
        """What the next build will say that it differs from."""
        return self.known_inputs or describe_inputs(self.definition)

    def outcome(self, solved: Solved) -> ImageOutcome:
        """How it came to be there."""
        if solved.seconds is not None:
            return ImageOutcome.BUILT
        return ImageOutcome.RESTORED if self.known_inputs else ImageOutcome.UNCHANGED


def describe_inputs(definition: ImageDefinition) -> BuildInputs:
    """What a build is made from, in digests."""
    job = definition.job
    return BuildInputs.create(
        job.build_digest, job.definition, definition.dockerfile, definition.contexts
    )


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


async def find_image(
    request: BuildImageRequest,
    options: BuildOptions,
    keeper: SessionKeeper,
    attempt: int = 0,
) -> FoundImage:
    """What there is of a target as it is now, in the session that runs. Built if that may be."""
    field_set, subsystem, running = request.field_set, options.subsystem, keeper.running
    definition = await define_image(ImageDefinitionRequest(field_set, attempt), **implicitly())
    settings = build_settings(field_set, options)
    if request.timeout is not None:
        settings = replace(settings, build_timeout=request.timeout, is_test=True)
    only_looks_up = running.is_plan or subsystem.require_built
    if not only_looks_up:
        running.answers.add_build(definition.key, settings)
    path = image_history(running.directory, field_set, subsystem)
    history = keeper.files.read(path, History)
    past, digest = history.past, definition.job.build_digest
    inputs: BuildInputs | None = None
    reasons: tuple[Reason, ...] = (LOST_RECORD,)
    if past is None or past.build_digest != digest:
        explanation = history.explain(digest, lambda: describe_inputs(definition))
        inputs, reasons = explanation.inputs, explanation.reasons
    # Where nothing is remembered, what is laid out for a cached image must be next to nothing.
    is_other = inputs is not None and (past is not None or takes_no_process(definition))
    place = Place(
        keeper,
        running,
        only_looks_up,
        # What another machine may have built meanwhile is worth a question first.
        expects_build=is_other and not options.reads_remote_cache,
        is_forced=request.is_forced,
    )
    logger.debug(
        "%s: key %s, build digest %s, context digest %s; %s.",
        field_set.address,
        definition.key,
        definition.job.build_digest,
        definition.context_digest,
        reason_line(reasons) if inputs else "as last time here",
    )
    found = FoundImage(definition, past, inputs, await solve(definition, place, reasons))
    if not running.is_plan and isinstance(found.solved, Solved):
        _remember(path, found, found.solved)
    return found


def _remember(history: Path, found: FoundImage, solved: Solved) -> None:
    """Have the next session know what was built, where that is news."""
    if found.known_inputs or solved.seconds is not None:
        past_seconds = found.past.seconds if found.past is not None else None
        seconds = past_seconds if solved.seconds is None else solved.seconds
        write_past_build(history, found.inputs(), seconds)


async def _build(
    request: BuildImageRequest, options: BuildOptions, keeper: SessionKeeper, attempt: int
) -> tuple[FoundImage, Solved]:
    """What comes of a target. Where nothing may be built, its failure names all that is missing."""
    address = request.field_set.address
    running = keeper.running
    # Tests name variants of an image, which need what it needs.
    with keeper.missing.looking(request.field_set.dependencies.address.spec):
        found = await find_image(request, options, keeper, attempt)
        if isinstance(found.solved, Solved):
            return found, found.solved
        reasons = found.solved.reasons
        if running.is_plan:
            raise ImageNotBuiltError(address, reasons)
        keeper.missing.add(address.spec, reason_line(reasons))
    missing = await _find_all_missing(keeper.missing, running)
    raise ImageNotBuiltError(address, reasons, missing)


async def _find_all_missing(missing: MissingImages, running: RunningSession) -> Mapping[str, str]:
    """All images that this run misses, with their reasons, once no other can be found."""
    while (found := missing.all()) is None:
        pause = missing.pause()
        await wait_for(running, [pause], blocks=False)
        pause.result()
        for each in missing.undecided():
            needed = await find_needed_targets(NeededTargetsRequest(each), **implicitly())
            missing.decide(each, [image.spec for image in needed.images])
    return found


async def _build_current(
    request: BuildImageRequest, options: BuildOptions, keeper: SessionKeeper
) -> tuple[FoundImage, Solved]:
    """What came of a target as it is now."""
    try:
        found, solved = await _build(request, options, keeper, 0)
    except ImageSourceChangedError:
        # Since the definition was made. What there is now is another image.
        found, solved = await _build(request, options, keeper, 1)
    outcome = found.outcome(solved)
    why = f" ({reason_line(solved.reasons)})" if outcome is ImageOutcome.BUILT else ""
    logger.debug(f"{request.field_set.address}: {outcome.value}{why}.")
    return found, solved


@rule(desc="Build image with BuildKit", level=LogLevel.DEBUG)
async def build_image(
    request: BuildImageRequest, options: BuildOptions, _session: Session, keeper: SessionKeeper
) -> BuiltImage:
    field_set = request.field_set
    artifacts = field_set.artifacts_field
    if artifacts is not None:
        raise NoImageError(artifacts.alias, field_set.address)
    found, solved = await _build_current(request, options, keeper)
    assert solved.record is not None
    layout = None
    if found.definition.output is ImageOutput.OCI:
        layout = await remove_prefix(RemovePrefix(solved.output, OUTPUT_LAYOUT))
    return BuiltImage(
        solved.record,
        found.definition.job.definition,
        found.definition.output,
        layout,
        found.outcome(solved),
        solved.reasons,
        solved.process,
    )


@rule(desc="Build files with BuildKit")
async def build_files(
    field_set: BuildKitImageFieldSet,
    options: BuildOptions,
    _session: Session,
    keeper: SessionKeeper,
) -> BuiltFiles:
    image = BuildImageRequest(field_set)
    found, solved = await _build_current(image, options, keeper)
    tree = await remove_prefix(RemovePrefix(solved.output, OUTPUT_ARTIFACTS))
    definition = found.definition.job.definition
    return BuiltFiles(tree, definition, found.outcome(solved), solved.reasons)
