"""Test an image in BuildKit: one process for each platform, cached by the image's digest."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Optional

from pants.engine.fs import AddPrefix, CreateDigest, Digest, FileContent, MergeDigests
from pants.engine.process import Process, ProcessCacheScope

from pants_docker_buildkit.compat import add_prefix, create_digest, merge_digests, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_tests.dockerfile_text import IMAGE
from pants_docker_buildkit.image_tests.outcome import TestRun, parse_outcomes
from pants_docker_buildkit.image_tests.structure import StructureTest
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.errors import EXIT_TESTS_FAILED
from pants_docker_buildkit.solver.input_tree import (
    JOB_FILE,
    LAYOUTS_DIRECTORY,
    MUTABLE_MARKER,
    ROOT,
    TESTS_FILE,
)
from pants_docker_buildkit.solver.main import TEST_COMMAND
from pants_docker_buildkit.util_rules.build import BuiltImage
from pants_docker_buildkit.util_rules.build_settings import BuildOptions, build_settings
from pants_docker_buildkit.util_rules.image_tests import ImageTested, ImageTestSubsystem
from pants_docker_buildkit.util_rules.session import running_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    run_in_session,
    why_failed,
)

_LAYOUT = f"{LAYOUTS_DIRECTORY}/image"


@dataclass(frozen=True)
class ImageTestRequest:
    """Asks to test an image for one platform. `is_forced` asks also where a cache knows."""

    field_set: BuildKitImageFieldSet
    image: BuiltImage
    platform: PlatformImage
    test: StructureTest
    timeout: Optional[int] = None
    is_forced: bool = False
    attempt: int = 0


def _helper(option: str) -> str:
    with suppress(InvalidImageReferenceError):
        reference = ImageReference.parse_familiar(option)
        if reference.is_pinned:
            return f"{reference.name}@{reference.digest}"
    raise InvalidOptionError(
        "helper_image",
        "be a reference with a digest, such as REGISTRY/REPOSITORY:TAG@sha256:…",
        f"it is {option!r}",
        ImageTestSubsystem.options_scope,
    )


def _job(request: ImageTestRequest, helper: str) -> BuildJob:
    """What is tested, and all that the tests may read."""
    image, platform = request.image, request.platform
    record = image.record
    sources = [PinnedSource.image(helper, helper)]
    context = NamedContext(IMAGE, ContextKind.LAYOUT, platform.manifest_digest, _LAYOUT)
    repositories: tuple[str, ...] = ()
    if image.output is ImageOutput.REGISTRY:
        name = record.references[0].partition("@")[0]
        reference = f"{name}@{platform.manifest_digest}"
        sources.append(PinnedSource.image(reference, reference))
        context = NamedContext(IMAGE, ContextKind.IMAGE, reference)
    elif image.output is ImageOutput.DOCKER:
        repositories = record.references[:1]
    output = ImageOutput.DOCKER if image.output is ImageOutput.DOCKER else ImageOutput.OCI
    tests = hashlib.sha256(request.test.to_json()).hexdigest()
    definition = BuildDefinition(
        dockerfile=tests,
        context="",
        platforms=(str(platform.platform),),
        output=output.value,
        named_contexts=(context,),
        sources=tuple(sources),
        no_cache=True,
    )
    return BuildJob("test", definition, repositories)


async def _inputs(request: ImageTestRequest, job: BuildJob) -> Digest:
    files = await create_digest(
        CreateDigest(
            (
                FileContent(JOB_FILE, job.to_json()),
                FileContent(TESTS_FILE, request.test.to_json()),
            )
        )
    )
    trees = [files]
    if request.image.layout is not None:
        trees.append(await add_prefix(AddPrefix(request.image.layout, _LAYOUT)))
    return await add_prefix(AddPrefix(await merge_digests(MergeDigests(trees)), ROOT))


def _process(request: ImageTestRequest, key: str, inputs: Digest) -> Process:
    process = cached_process(
        TEST_COMMAND,
        key,
        attempt=request.attempt,
        description=f"Test {request.field_set.address} for {request.platform.platform}",
        input_digest=inputs,
        output_files=(MUTABLE_MARKER,),
    )
    if request.is_forced:
        process = replace(process, cache_scope=ProcessCacheScope.PER_SESSION)
    return process


@rule(desc="Test image in BuildKit")
async def test_image(
    request: ImageTestRequest, options: ImageTestSubsystem, build_options: BuildOptions
) -> ImageTested:
    job = _job(request, _helper(options.helper_image))
    inputs = await _inputs(request, job)
    running = await running_session()
    settings = build_settings(request.field_set, build_options)
    settings = replace(
        settings,
        # The builder keeps the last context of each name, and the image has another one.
        context_name=f"{settings.context_name}-test",
        secrets=(),
        ssh=(),
        cache_from=(),
        cache_to=(),
        build_timeout=request.timeout,
        is_test=True,
    )
    content = b"test\0" + job.to_json() + request.test.to_json()
    key = hashlib.sha256(content).hexdigest()[:32]
    running.answers.add_build(key, settings)
    result = await run_in_session(_process(request, key, inputs))
    platform = str(request.platform.platform)
    if result.exit_code not in (0, EXIT_TESTS_FAILED):
        run = TestRun(platform, problem=why_failed(result))
        return ImageTested(run, result.metadata)
    try:
        run = parse_outcomes(result.stdout, platform)
    except ValueError as e:
        run = TestRun(platform, problem=f"What a cache has of the tests cannot be read: {e}.")
    return ImageTested(run, result.metadata)
