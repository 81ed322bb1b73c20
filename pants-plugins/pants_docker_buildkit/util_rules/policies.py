"""Which policies in Rego judge what an image is built from?"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from pants.engine.fs import EMPTY_DIGEST, FileContent, PathGlobs

from pants_docker_buildkit.compat import get_digest_contents, implicitly, path_globs_to_digest
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.fields.dockerfile import POLICY_FILE_ENDING
from pants_docker_buildkit.solver.input_tree import OWN_POLICY, POLICIES_DIRECTORY
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem


@dataclass(frozen=True)
class Policies:
    """The files, with the paths that they have in the input tree of a build."""

    files: tuple[FileContent, ...]

    @property
    def hashes(self) -> tuple[tuple[str, str], ...]:
        """The sha256 of each, in hex, by its path."""
        return tuple((each.path, hashlib.sha256(each.content).hexdigest()) for each in self.files)


async def read_policies(dockerfile: str | None, subsystem: DockerBuildKitSubsystem) -> Policies:
    """The policies of an image with this Dockerfile, `None` for one that is no file."""
    own = () if dockerfile is None else (f"{dockerfile}{POLICY_FILE_ENDING}",)
    shared = tuple(os.path.normpath(path) for path in subsystem.policies)
    if not (own or shared):
        return Policies(())
    digest = await path_globs_to_digest(PathGlobs((*own, *shared)), **implicitly())
    found = {}
    if digest != EMPTY_DIGEST:
        found = {file.path: file.content for file in await get_digest_contents(digest)}
    for path in shared:
        if path not in found:
            raise InvalidOptionError(
                "policies", "name files in the repository", f"{path!r} is not one"
            )
    files = [FileContent(OWN_POLICY, found[path]) for path in own if path in found]
    for number, path in enumerate(shared):
        name = f"{POLICIES_DIRECTORY}/{number}/{os.path.basename(path)}"
        files.append(FileContent(name, found[path]))
    return Policies(tuple(files))
