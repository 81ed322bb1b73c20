"""`pants test`: the tests of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from pants.core.goals.test import TestFieldSet, TestRequest, TestResult, TestSubsystem
from pants.engine.addresses import Address, Addresses
from pants.engine.fs import EMPTY_FILE_DIGEST, CreateDigest, FileContent, FileEntry
from pants.engine.process import Process, ProcessCacheScope, ProcessResultMetadata
from pants.engine.target import HydrateSourcesRequest, Target
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import (
    concurrently,
    create_digest,
    create_test_result,
    digest_to_snapshot,
    execute_process,
    get_digest_contents,
    get_digest_entries,
    hydrate_sources,
    implicitly,
    resolve_address_targets,
    rule,
)
from pants_docker_buildkit.errors import (
    ImageBuildError,
    InvalidImageFieldError,
    InvalidStructureTestFileError,
)
from pants_docker_buildkit.fields.image_tests import (
    ImageTestImageField,
    ImageTestReproducibleField,
    ImageTestSourceField,
    ImageTestStageField,
    ImageTestTimeoutField,
    SkipImageTestField,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_tests.document import (
    InvalidStructureTestError,
    read_structure_test,
)
from pants_docker_buildkit.image_tests.junit import junit_xml
from pants_docker_buildkit.image_tests.outcome import TestRun, describe_runs
from pants_docker_buildkit.image_tests.structure import StructureTest
from pants_docker_buildkit.util_rules.build import BuildImageRequest, build_image
from pants_docker_buildkit.util_rules.caught_errors import describe
from pants_docker_buildkit.util_rules.image_tests import ImageTested, ImageTestSubsystem
from pants_docker_buildkit.util_rules.image_trials import (
    StageTestRequest,
    test_reproduction,
    test_stage,
)
from pants_docker_buildkit.util_rules.referenced_images import (
    ImageMention,
    MentionedTargetsRequest,
    find_mentioned_images,
)
from pants_docker_buildkit.util_rules.structure_tests import ImageTestRequest, test_image

_FAILED = 1
_OUTPUT = "stdout"


@dataclass(frozen=True)
class ImageTestFieldSet(TestFieldSet):
    """A `docker_buildkit_test` target."""

    required_fields = (ImageTestImageField,)

    image: ImageTestImageField
    source: ImageTestSourceField
    stage: ImageTestStageField
    reproducible: ImageTestReproducibleField
    timeout: ImageTestTimeoutField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        """Whether the target is not to be tested."""
        return bool(tgt.get(SkipImageTestField).value)


class BuildKitTestRequest(TestRequest):
    """Asks to run the tests of images."""

    tool_subsystem = ImageTestSubsystem  # type: ignore[assignment]
    field_set_type = ImageTestFieldSet


def _check_kind(field_set: ImageTestFieldSet) -> None:
    if not (field_set.source.value or field_set.stage.value or field_set.reproducible.value):
        stage, reproducible = field_set.stage.alias, field_set.reproducible.alias
        raise InvalidImageFieldError(
            field_set.source.alias,
            field_set.address,
            "name a file of structure tests",
            "it is not set",
            f"Set it, or `{stage}` or `{reproducible}`.",
        )


async def _read_tests(field_set: ImageTestFieldSet) -> StructureTest:
    field = field_set.source
    sources = await hydrate_sources(HydrateSourcesRequest(field), **implicitly())
    files = await get_digest_contents(sources.snapshot.digest)
    if not files:
        raise InvalidImageFieldError(
            field.alias,
            field_set.address,
            "name a file that exists",
            f"there is no {field.file_path}",
            "Create it, or name another one.",
        )
    (file,) = files
    try:
        return read_structure_test(file.content, file.path)
    except InvalidStructureTestError as e:
        reason = f"it must {e.requirement}, but {e.finding}"
        raise InvalidStructureTestFileError(
            field.alias, field_set.address, file.path, e.line, e.field, reason
        ) from e


async def _find_image(field_set: ImageTestFieldSet) -> BuildKitImageFieldSet:
    field = field_set.image
    mention = ImageMention(field.value, "it")
    request = MentionedTargetsRequest(field_set.address, field.alias, "name", (mention,))
    found = await find_mentioned_images(request, **implicitly())
    targets = await resolve_address_targets(**implicitly(Addresses(found.addresses)))
    return BuildKitImageFieldSet.create(targets[0])


async def _test_structure(
    field_set: ImageTestFieldSet,
    image_field_set: BuildKitImageFieldSet,
    test_subsystem: TestSubsystem,
    timeout: Optional[int],
) -> tuple[ImageTested, ...]:
    test = await _read_tests(field_set)
    image = await build_image(BuildImageRequest(image_field_set), **implicitly())
    attempts = getattr(test_subsystem, "attempts_default", 1)
    tested: tuple[ImageTested, ...] = ()
    for attempt in range(attempts):
        tested = await concurrently(
            test_image(
                ImageTestRequest(
                    image_field_set,
                    image,
                    platform,
                    test,
                    timeout,
                    bool(test_subsystem.force),
                    attempt,
                ),
                **implicitly(),
            )
            for platform in image.record.result.platforms
        )
        if not any(each.run.has_failed for each in tested):
            break
    return tested


async def _test(
    field_set: ImageTestFieldSet, test_subsystem: TestSubsystem
) -> tuple[ImageTested, ...]:
    _check_kind(field_set)
    image = await _find_image(field_set)
    timeout = field_set.timeout.calculate_from_global_options(test_subsystem)
    is_forced = bool(test_subsystem.force)
    tested: tuple[ImageTested, ...] = ()
    if field_set.stage.value:
        stage = StageTestRequest(
            image, field_set.stage.value, field_set.address, timeout, is_forced
        )
        tested = (await test_stage(stage, **implicitly()),)
    if field_set.source.value:
        tested += await _test_structure(field_set, image, test_subsystem, timeout)
    if field_set.reproducible.value:
        twice = BuildImageRequest(image, timeout, is_forced)
        tested = (*tested, await test_reproduction(twice, **implicitly()))
    return tested


def _chosen_metadata(tested: Sequence[ImageTested]) -> Optional[ProcessResultMetadata]:
    """What stands for all: the process that failed, or else one that took longest."""
    known = [each for each in tested if each.process is not None]
    known.sort(key=lambda each: (each.run.has_failed, each.run.seconds))
    return known[-1].process if known else None


async def _stand_in(address: Address) -> ProcessResultMetadata:
    """What stands for a test that failed before any process was needed.

    The summary of Pants leaves out what has no process, failed or not.
    """
    process = Process(
        argv=("/bin/sh", "-c", "exit 1"),
        description=f"List {address} among the tests that failed",
        cache_scope=ProcessCacheScope.PER_SESSION,
        level=LogLevel.DEBUG,
    )
    return (await execute_process(process, **implicitly())).metadata


@rule(desc="Test images", level=LogLevel.DEBUG)
async def run_image_tests(
    batch: BuildKitTestRequest.Batch[ImageTestFieldSet, Any], test_subsystem: TestSubsystem
) -> TestResult:
    field_set = batch.single_element
    address = field_set.address
    try:
        tested = await _test(field_set, test_subsystem)
    except Exception as e:
        # What keeps one image from being tested must not keep others from it.
        problem = describe(e)
        process = e.process if isinstance(e, ImageBuildError) else None
        tested = (ImageTested(TestRun("image", problem=problem), process),)
    runs = [each.run for each in tested]
    content = describe_runs(runs).encode()
    report = f"{address.path_safe_spec}.xml"
    output_digest = await create_digest(CreateDigest((FileContent(_OUTPUT, content),)))
    report_digest = await create_digest(
        CreateDigest((FileContent(report, junit_xml(address.spec, runs)),))
    )
    snapshot = await digest_to_snapshot(report_digest)
    (output,) = await get_digest_entries(output_digest)
    assert isinstance(output, FileEntry)
    metadata = _chosen_metadata(tested) or await _stand_in(address)
    return create_test_result(
        content,
        exit_code=_FAILED if any(each.has_failed for each in runs) else 0,
        stdout_digest=output.file_digest,
        stderr_digest=EMPTY_FILE_DIGEST,
        addresses=(address,),
        output_setting=test_subsystem.output,
        result_metadata=metadata,
        xml_results=snapshot,
    )
