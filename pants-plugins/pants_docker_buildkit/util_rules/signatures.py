"""Is an image signed as the options want it?"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.compat import uncacheable_rule
from pants_docker_buildkit.errors import UnknownSignerError, UnsignedImageError
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.signatures.errors import SignatureError
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.mirrors import image_mirrors
from pants_docker_buildkit.util_rules.session import running_session, wait_for


@dataclass(frozen=True)
class SignatureCheckRequest:
    """Asks whether an image is signed, which has these pinned references. One of them is enough.

    `who` says in messages which image it is, and what for. Where `is_needed`, an image that no
    pattern matches is an error.
    """

    who: str
    references: tuple[ImageReference, ...]
    is_needed: bool = False


@dataclass(frozen=True)
class SignatureCheck:
    """It is, or need not be. `pattern` is what made it be checked."""

    pattern: str | None = None


@uncacheable_rule(desc="Verify signature of image")
async def check_signature(
    request: SignatureCheckRequest, subsystem: DockerBuildKitSubsystem
) -> SignatureCheck:
    running = await running_session()
    signatures = running.signatures
    found = [(each, signatures.settings.policies.find(each)) for each in request.references]
    policies = {each.pattern: each for _, each in found if each is not None}
    if not policies and request.is_needed:
        raise UnknownSignerError(request.who, [each.name for each in request.references])
    mirrors = image_mirrors(subsystem)
    problem: UnsignedImageError | None = None
    for pattern, policy in policies.items():
        if not policy.rules:
            continue
        names = [mirrors.of(each) for each, own in found if own == policy]
        future = signatures.check(names, policy.rules)
        await wait_for(running, [future])
        try:
            future.result()
        except (SignatureError, RegistryError) as e:
            problem = UnsignedImageError(request.who, pattern, str(e))
        else:
            return SignatureCheck(pattern)
    if problem is not None:
        raise problem
    return SignatureCheck(next(iter(policies), None))
