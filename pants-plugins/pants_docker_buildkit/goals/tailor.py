"""`pants tailor`: propose an image target for each Dockerfile that has none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pants.core.goals.tailor import (
    AllOwnedSources,
    PutativeTarget,
    PutativeTargets,
    PutativeTargetsRequest,
)

from pants_docker_buildkit.compat import get_digest_entries, implicitly, path_globs_to_digest, rule
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME
from pants_docker_buildkit.fields.dockerfile import POLICY_FILE_ENDING, BuildKitImageSourceField
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.target_types import BuildKitImageTarget
from pants_docker_buildkit.util_rules.image_lock import lock_paths

_PATTERNS = ("*Dockerfile", "Dockerfile.*", "*.dockerfile")
_NO_DOCKERFILES = (IGNORE_FILE_NAME, POLICY_FILE_ENDING)


@dataclass(frozen=True)
class PutativeImageTargetsRequest(PutativeTargetsRequest):
    """Asks for image targets that are worth adding."""


@rule(desc="Determine candidate image targets")
async def find_putative_images(
    request: PutativeImageTargetsRequest,
    owned: AllOwnedSources,
    subsystem: DockerBuildKitSubsystem,
) -> PutativeTargets:
    if not subsystem.tailor:
        return PutativeTargets()
    digest = await path_globs_to_digest(request.path_globs(*_PATTERNS), **implicitly())
    entries = await get_digest_entries(digest)
    dockerfiles = {entry.path for entry in entries if not entry.path.endswith(_NO_DOCKERFILES)}
    dockerfiles -= set(lock_paths(subsystem).values())
    return PutativeTargets(_putative(path) for path in sorted(dockerfiles - set(owned)))


def _putative(path: str) -> PutativeTarget:
    directory, file_name = os.path.split(path)
    name = "image" if file_name == BuildKitImageSourceField.default else file_name.lower()
    name = name.replace(".", "-")
    kwargs = {} if file_name == BuildKitImageSourceField.default else {"source": file_name}
    return PutativeTarget.for_target_type(
        BuildKitImageTarget,
        path=directory,
        name=name,
        triggering_sources=[file_name],
        kwargs=kwargs,
    )
