"""Which attestations does BuildKit put into the index of an image, and which image makes them?"""

from __future__ import annotations

from pants_docker_buildkit.buildx.attestations import parse_attestations, scanner_image
from pants_docker_buildkit.buildx.attributes import InvalidAttributesError
from pants_docker_buildkit.fields.naming import ImageOutput, RunOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError
from pants_docker_buildkit.util_rules.image_names import output_of_run


def attestations_in_index(
    field_set: BuildKitImageFieldSet,
    output: ImageOutput,
    option: RunOutput | None,
    *,
    is_reproducible: bool,
) -> tuple[str, ...]:
    """What BuildKit attests of an image that goes to `output`, as rendered attributes.

    `option` is that for all images of a run: the local engine gets none of it then.
    """
    attestations = _attestations(field_set)
    is_stored = output in (ImageOutput.REGISTRY, ImageOutput.OCI)
    if not attestations or not (is_stored or output_of_run(field_set, option) is None):
        return ()
    if not is_stored:
        raise field_set.error(
            field_set.attest,
            f"be left out where the output is {output.value!r}",
            "there is no image index to put attestations into",
        )
    if is_reproducible:
        raise field_set.error(
            field_set.attest,
            f"be left out where the image is to be `{field_set.reproducible.alias}`",
            "attestations have the times of their build",
            "'[docker-buildkit].provenance' and `sbom_command` put them beside the image.",
        )
    return attestations


def scanner_images(field_set: BuildKitImageFieldSet) -> tuple[ImageReference, ...]:
    """The image that makes the SBOM of an image, if BuildKit is to make one."""
    scanner = scanner_image(_attestations(field_set))
    if scanner is None:
        return ()
    try:
        return (ImageReference.parse_familiar(scanner),)
    except InvalidImageReferenceError as e:
        raise field_set.error(
            field_set.attest,
            f"name its generator by a reference, which must {e.requirement}",
            f"{scanner!r} does not",
        ) from e


def _attestations(field_set: BuildKitImageFieldSet) -> tuple[str, ...]:
    field = field_set.attest
    try:
        return parse_attestations(field.value or ())
    except InvalidAttributesError as e:
        raise field_set.error(
            field,
            f"hold attestations, each of which must {e.requirement}",
            f"{e.text!r} is one of them",
        ) from e
