"""Which images does one target make of the stages of its Dockerfile?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pants.engine.target import GeneratedTargets, GenerateTargetsRequest, InvalidFieldException
from pants.engine.unions import UnionMembership

from pants_docker_buildkit.compat import rule
from pants_docker_buildkit.fields.dockerfile import (
    BuildKitImageInstructionsField,
    BuildKitImageSourceField,
    BuildKitImageTargetStageField,
)
from pants_docker_buildkit.fields.stages import (
    BuildKitImagesOverridesField,
    BuildKitImagesStagesField,
)
from pants_docker_buildkit.target_types import BuildKitImagesTarget, BuildKitImageTarget


class GenerateImagesRequest(GenerateTargetsRequest[BuildKitImagesTarget]):
    """Asks for an image target for each stage."""

    generate_from = BuildKitImagesTarget


def _check_overrides(request: GenerateImagesRequest, stages: Iterable[str]) -> None:
    field, address = BuildKitImagesOverridesField.alias, request.template_address
    listed = ", ".join(map(repr, stages))
    # Pants does not hand on what is overridden by nothing.
    written = {
        name
        for names in request.generator[BuildKitImagesOverridesField].value or ()
        for name in names
    }
    for stage in sorted(written - set(stages)):
        raise InvalidFieldException(
            f"The `{field}` field in target {address} must have names of"
            f" `{BuildKitImagesStagesField.alias}` as keys, but {stage!r} is not one of them. They"
            f" are: {listed}."
        )
    chosen = BuildKitImageTargetStageField.alias
    for stage, overridden in request.overrides.items():
        if any(chosen in fields for fields in overridden.values()):
            raise InvalidFieldException(
                f"The `{field}` field in target {address} must not have `{chosen}`, but for"
                f" {stage!r} it has: the key says the stage. Remove it."
            )


def _fields(
    template: Mapping[str, Any], overridden: Mapping[str, Any], stage: str
) -> dict[str, Any]:
    """The fields of one image.

    Pants does not hand on a field that is `None`, and with instructions there is no Dockerfile.
    """
    fields = {**template, **overridden, BuildKitImageTargetStageField.alias: stage}
    if fields.get(BuildKitImageInstructionsField.alias):
        fields.setdefault(BuildKitImageSourceField.alias, None)
    return fields


@rule(desc="Generate image targets of stages")
async def generate_images(
    request: GenerateImagesRequest, union_membership: UnionMembership
) -> GeneratedTargets:
    stages = request.generator[BuildKitImagesStagesField].value
    _check_overrides(request, stages)
    return GeneratedTargets(
        request.generator,
        (
            BuildKitImageTarget(
                _fields(request.template, overridden, stage),
                address.create_generated(stage),
                union_membership,
            )
            for stage in stages
            for address, overridden in request.overrides.get(
                stage, {request.template_address: {}}
            ).items()
        ),
    )
