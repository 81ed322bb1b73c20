"""What does an image consist of? Scanned once for all who share a cache."""

from __future__ import annotations

from dataclasses import dataclass

from pants.engine.addresses import Address

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError, SbomError
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.solver.main import SBOM_COMMAND
from pants_docker_buildkit.solver.sbom import sbom_media_type
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.cached_answer import CachedAnswerRequest, ask_once


@dataclass(frozen=True)
class SbomRequest:
    """Asks what the image for one platform consists of, by its pinned reference."""

    address: Address
    reference: str
    platform: ImagePlatform


@dataclass(frozen=True)
class Sbom:
    """A document in SPDX or CycloneDX, which `media_type` says. `scanner` made it."""

    platform: ImagePlatform
    document: bytes
    media_type: str
    scanner: str


@rule(desc="Scan image")
async def scan_image(request: SbomRequest, subsystem: DockerBuildKitSubsystem) -> Sbom:
    scanner = subsystem.sbom_scanner
    if not scanner:
        requirement = "name the program of `sbom_command` and its version"
        raise InvalidOptionError("sbom_scanner", requirement, "it is not set")
    question = CachedAnswerRequest(
        SBOM_COMMAND,
        (request.reference, scanner, *subsystem.sbom_command),
        f"Scan {request.reference} with {scanner}",
    )
    answer = await ask_once(question, **implicitly())
    if answer.problem:
        raise SbomError(request.address, answer.problem)
    # The process ends it with a line, which is none of the document.
    document = answer.content.rstrip(b"\n") + b"\n"
    try:
        media_type = sbom_media_type(document)
    except ValueError as e:
        reason = f"What a cache has of it is none: {e}."
        raise SbomError(request.address, reason) from e
    return Sbom(request.platform, document, media_type, scanner)
