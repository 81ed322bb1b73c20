"""What is said of an image, in `dist/` and beside it in registries, also of one nobody built."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pants.engine.addresses import Address

from pants_docker_buildkit.compat import concurrently, implicitly, rule, uncacheable_rule
from pants_docker_buildkit.errors import AttestationError
from pants_docker_buildkit.fields.naming import ImageOutput
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.provenance import FILE_ENDING, provenance_referrer, provenance_statement
from pants_docker_buildkit.registry.errors import (
    DeniedError,
    ForbiddenByRuleError,
    RegistryError,
    UnauthorizedError,
)
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.sbom import SPDX
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.sbom import Sbom, SbomRequest, scan_image
from pants_docker_buildkit.util_rules.session import running_session, wait_for

logger = logging.getLogger(__name__)

_PLATFORM_ANNOTATION = "io.github.pants-docker-buildkit.platform"
_SCANNER_ANNOTATION = "io.github.pants-docker-buildkit.scanner"


@dataclass(frozen=True)
class AttachmentRequest:
    """Asks for `referrers` to be beside the image at each of `references`.

    Whoever only reads may not write: unless the image `was_built`, that is a warning. In a session
    that plans nothing is written.
    """

    address: Address
    references: tuple[str, ...]
    referrers: tuple[Referrer, ...]
    was_built: bool


@dataclass(frozen=True)
class Attachment:
    """The registries have it, or a line says which do not."""


@dataclass(frozen=True)
class AttestationsRequest:
    """Asks for what the options want to be said of an image, and to have it where it belongs."""

    address: Address
    record: ImageRecord
    definition: BuildDefinition
    output: ImageOutput
    was_built: bool


@dataclass(frozen=True)
class Attestations:
    """What is said of an image, as files: the ending of each name, and its content.

    `provenance` is one of them, as it is beside the image in registries.
    """

    files: tuple[tuple[str, bytes], ...]
    provenance: Referrer | None


@uncacheable_rule(desc="Attach to image")
async def attach_referrers(request: AttachmentRequest) -> Attachment:
    running = await running_session()
    if running.is_plan:
        return Attachment()
    references = [ImageReference.parse(each) for each in request.references]
    # One after the other in a repository: the list that a fallback tag points to is one file.
    futures = [running.attachments.submit(each, request.referrers) for each in references]
    await wait_for(running, futures)
    for future in futures:
        try:
            future.result()
        except (DeniedError, ForbiddenByRuleError, UnauthorizedError) as e:
            if request.was_built:
                raise AttestationError(request.address, str(e)) from e
            logger.warning(f"{request.address} lacks what is said of it: {e}")
        except RegistryError as e:
            raise AttestationError(request.address, str(e)) from e
    return Attachment()


def _sbom_referrer(record: ImageRecord, sbom: Sbom) -> Referrer:
    return Referrer(
        record.result.descriptor,
        sbom.media_type,
        sbom.document,
        ((_PLATFORM_ANNOTATION, str(sbom.platform)), (_SCANNER_ANNOTATION, sbom.scanner)),
        # Two scans of one image differ in times and IDs.
        stands_for_others=True,
    )


def _sbom_file(sbom: Sbom) -> tuple[str, bytes]:
    kind = "spdx" if sbom.media_type == SPDX else "cyclonedx"
    return f"{str(sbom.platform).replace('/', '-')}.{kind}.json", sbom.document


@rule(desc="Attest image")
async def attest_image(
    request: AttestationsRequest, subsystem: DockerBuildKitSubsystem
) -> Attestations:
    record = request.record
    files: list[tuple[str, bytes]] = []
    referrers: list[Referrer] = []
    provenance: Referrer | None = None
    if subsystem.provenance:
        statement = provenance_statement(record, request.definition)
        provenance = provenance_referrer(record.result.descriptor, statement)
        files.append((FILE_ENDING, statement))
        referrers.append(provenance)
    is_pushed = request.output is ImageOutput.REGISTRY
    if subsystem.sbom_command and is_pushed:
        name = record.references[0].partition("@")[0]
        sboms = await concurrently(
            scan_image(
                SbomRequest(request.address, f"{name}@{each.manifest_digest}", each.platform),
                **implicitly(),
            )
            for each in record.result.platforms
        )
        files += [_sbom_file(each) for each in sboms]
        referrers += [_sbom_referrer(record, each) for each in sboms]
    if referrers and is_pushed:
        attachment = AttachmentRequest(
            request.address, record.references, tuple(referrers), request.was_built
        )
        await attach_referrers(attachment, **implicitly())
    return Attestations(tuple(files), provenance)
