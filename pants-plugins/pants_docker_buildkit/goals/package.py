"""`pants package`: one image, its record, and a line that says what was done for it."""

from __future__ import annotations

import logging

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact
from pants.engine.fs import EMPTY_DIGEST, AddPrefix, CreateDigest, FileContent, MergeDigests

from pants_docker_buildkit.built_image import BuiltBuildKitImage
from pants_docker_buildkit.compat import add_prefix, create_digest, implicitly, merge_digests, rule
from pants_docker_buildkit.errors import BuildKitImageError, ImageCycleError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.image_record import FILE_ENDING
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.output_file import output_file
from pants_docker_buildkit.plans.reasons import Reason, reason_line
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.artifacts import find_artifacts
from pants_docker_buildkit.util_rules.attestations import (
    Attestations,
    AttestationsRequest,
    attest_image,
)
from pants_docker_buildkit.util_rules.build import (
    BuildImageRequest,
    BuiltImage,
    ImageOutcome,
    build_image,
)
from pants_docker_buildkit.util_rules.image_cycle import find_image_cycle
from pants_docker_buildkit.util_rules.upstream_images import package_bases

logger = logging.getLogger(__name__)

LAYOUT_ENDING = "oci"

# What Pants says where rules wait for each other.
_CYCLE = "cycle"


_NO_TAG = "{}, a layout that no docker_image can build on: give it a registry, or output=docker"
"""What Pants' own backend takes for the name of an image that has none. Docker says that it is no
name of an image.
"""


def _outcome(outcome: ImageOutcome, reasons: tuple[Reason, ...]) -> str:
    why = f" ({reason_line(reasons)})" if outcome is ImageOutcome.BUILT else ""
    return f"{outcome.value}{why}"


def outcome_line(image: BuiltImage) -> str:
    """What was done for an image, and how to refer to it."""
    where = image.record.references or (image.record.image_digest,)
    return f"{_outcome(image.outcome, image.reasons)}: {', '.join(where)}"


async def _package_artifacts(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> BuiltPackage:
    """The files of a target that leaves some in place of an image."""
    artifacts = await find_artifacts(field_set, **implicitly())
    if subsystem.attests:
        await package_bases(field_set, artifacts.definition, subsystem.output)
    count = len(artifacts.paths)
    line = f"{_outcome(artifacts.outcome, artifacts.reasons)}: {count} file{'s'[: count != 1]}"
    if not artifacts.paths:
        logger.info(f"{field_set.address} {line}.")
    first, *others = artifacts.paths or artifacts.directories or (None,)
    if first is None:
        return BuiltPackage(artifacts.digest, ())
    return BuiltPackage(
        artifacts.digest,
        (
            BuiltPackageArtifact(relpath=first, extra_log_lines=(f"  {line}",)),
            *(BuiltPackageArtifact(relpath=each) for each in others),
        ),
    )


async def _raise_cycle(field_set: BuildKitImageFieldSet, error: Exception) -> None:
    """Raise `ImageCycleError` where it is one of images that Pants tells of."""
    if _CYCLE in str(error) and not isinstance(error, BuildKitImageError):
        cycle = await find_image_cycle(field_set.address)
        if cycle:
            raise ImageCycleError(cycle) from error


async def _attest(field_set: BuildKitImageFieldSet, image: BuiltImage) -> Attestations:
    """What is to be said of an image."""
    was_built = image.outcome is ImageOutcome.BUILT
    request = AttestationsRequest(
        field_set.address, image.record, image.definition, image.output, was_built
    )
    return await attest_image(request, **implicitly())


def _artifact(
    field_set: BuildKitImageFieldSet, image: BuiltImage, path: str, provenance: Referrer | None
) -> BuiltBuildKitImage:
    return BuiltBuildKitImage(
        relpath=path,
        extra_log_lines=(f"  {outcome_line(image)}",),
        image_id=image.record.result.platforms[0].config_digest,
        tags=image.record.references or (_NO_TAG.format(field_set.address),),
        image_digest=image.record.image_digest,
        references=image.record.references,
        platforms=image.record.result.platforms,
        provenance=provenance,
        **({"layout": image.layout} if image.layout is not None else {}),
    )


@rule(desc="Package image")
async def package_image(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem, keeper: SessionKeeper
) -> BuiltPackage:
    path = ""
    if field_set.artifacts_field is None:
        path = output_file(field_set.output_path, FILE_ENDING)
    try:
        if field_set.artifacts_field is not None:
            return await _package_artifacts(field_set, subsystem)
        image = await build_image(BuildImageRequest(field_set.to_build), **implicitly())
    except Exception as e:
        await _raise_cycle(field_set, e)
        raise
    if field_set.image_only:
        return BuiltPackage(EMPTY_DIGEST, (_artifact(field_set, image, path, None),))
    if not path.endswith(f".{FILE_ENDING}"):
        path = f"{path}.{FILE_ENDING}"
    stem = path[: -len(FILE_ENDING)]
    files = {path: image.record.to_json()}
    provenance = None
    if subsystem.attests:
        attestations = await _attest(field_set, image)
        files.update((f"{stem}{ending}", content) for ending, content in attestations.files)
        provenance = attestations.provenance
        await package_bases(field_set, image.definition, subsystem.output)
    digest = await create_digest(CreateDigest(FileContent(*each) for each in files.items()))
    if image.layout is not None:
        layout_path = f"{stem}{LAYOUT_ENDING}"
        layout = await add_prefix(AddPrefix(image.layout, layout_path))
        digest = await merge_digests(MergeDigests((digest, layout)))
    if not field_set.is_upstream:
        keeper.packaged.add(field_set.address.spec, field_set, image.record.image_digest)
    return BuiltPackage(digest, (_artifact(field_set, image, path, provenance),))
