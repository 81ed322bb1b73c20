"""Test an image by builds: of a stage of its Dockerfile, or of all of it twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Optional

from pants.engine.addresses import Address
from pants.engine.fs import Digest

from pants_docker_buildkit.compat import (
    get_digest_contents,
    implicitly,
    rule,
    uncacheable_rule,
)
from pants_docker_buildkit.errors import InvalidImageFieldError
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_tests.outcome import Outcome, TestRun
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.image_difference import ReadBlob, find_image_difference
from pants_docker_buildkit.oci.layout import blob_name
from pants_docker_buildkit.util_rules.build import BuildImageRequest, BuiltImage, build_image
from pants_docker_buildkit.util_rules.image_tests import ImageTested, ImageTestSubsystem

_HOST_NAME = "BUILDKIT_SANDBOX_HOSTNAME"
"""The build argument that BuildKit takes for the name of the machine in a step."""

_NO_HOST_CHARACTERS = re.compile("[^A-Za-z0-9-]+")
_LONGEST_HOST_NAME = 63


@dataclass(frozen=True)
class StageTestRequest:
    """Asks to build a stage of an image's Dockerfile. With `is_forced`, all of its steps run.

    `owner` is the target that names the stage.
    """

    field_set: BuildKitImageFieldSet
    stage: str
    owner: Address
    timeout: Optional[int] = None
    is_forced: bool = False


def _variant(field_set: BuildKitImageFieldSet, name: str, **values: Any) -> BuildKitImageFieldSet:
    """The image with other values of fields, as a layout. It has a history of its own."""
    address = field_set.address
    own = "" if address.generated_name is None else f"{address.generated_name}-"
    values = {"output": ImageOutput.OCI.value, "cache_to": None, "attest": None, **values}
    return replace(
        field_set,
        address=Address(
            address.spec_path,
            target_name=address.target_name,
            parameters=address.parameters,
            generated_name=f"{own}{name}",
        ),
        **{
            alias: type(getattr(field_set, alias))(value, address)
            for alias, value in values.items()
        },
    )


@rule(desc="Build stage as a test")
async def test_stage(request: StageTestRequest) -> ImageTested:
    values = {"no_cache": True} if request.is_forced else {}
    variant = _variant(
        request.field_set, f"{request.stage}-test", target_stage=request.stage, **values
    )
    try:
        image = await build_image(
            BuildImageRequest(variant, request.timeout, request.is_forced), **implicitly()
        )
    except InvalidImageFieldError as e:
        if e.alias != request.field_set.target_stage.alias:
            raise
        raise e.written_in(request.owner) from e
    platforms = ",".join(str(each.platform) for each in image.record.result.platforms)
    return ImageTested(TestRun(platforms, (Outcome("stage", request.stage),)), image.process)


async def _blobs(image: BuiltImage) -> ReadBlob:
    """What lies in the layout of an image."""
    layout = image.layout
    assert isinstance(layout, Digest)
    contents = await get_digest_contents(layout)
    found = {each.path: each.content for each in contents}
    return lambda digest: found[blob_name(OciDigest(digest))]


def _second_host(builder: str | None) -> str:
    """The host name of the second build: with another builder, a build that no cache has."""
    name = _NO_HOST_CHARACTERS.sub("-", f"another-host-{builder}" if builder else "another-host")
    return name[:_LONGEST_HOST_NAME]


# Of a rule that is kept, Pants begins all that it needed at once when a file has changed.
@uncacheable_rule(desc="Build image twice")
async def test_reproduction(request: BuildImageRequest, options: ImageTestSubsystem) -> ImageTested:
    field_set = request.field_set
    first = _variant(field_set, "first-build", no_cache=True)
    host = _second_host(options.second_builder)
    second = _variant(
        field_set,
        "second-build",
        no_cache=True,
        builder=options.second_builder or field_set.builder.value,
        build_args=(*(field_set.build_args.value or ()), f"{_HOST_NAME}={host}"),
    )
    timeout, is_forced = request.timeout, request.is_forced
    one = await build_image(BuildImageRequest(first, timeout, is_forced), **implicitly())
    # Not at the same time, which both would have then.
    other = await build_image(BuildImageRequest(second, timeout, is_forced), **implicitly())
    problems: tuple[str, ...] = ()
    if one.record.image_digest != other.record.image_digest:
        read_one, read_other = await _blobs(one), await _blobs(other)
        found = find_image_difference(
            one.record.image_digest, other.record.image_digest, read_one, read_other
        )
        advice = "" if one.definition.reproducible else " Set `reproducible=True` in the image."
        problems = (f"two builds must give the same image, but in {found}.{advice}",)
    platforms = ",".join(str(each.platform) for each in one.record.result.platforms)
    outcome = Outcome("reproducible", field_set.address.spec, problems)
    longest = max(one.process, other.process, key=lambda each: each.total_elapsed_ms or 0)
    return ImageTested(TestRun(platforms, (outcome,)), longest)
