"""Which files does BuildKit read that no BUILD file declares, and which images depend on them?

An ignore file often lies where no BUILD file is, such as in the build root, and Pants looks for the
owner of a file in the directories above it only. So each has a target that nobody writes, on which
images depend by inference: Git's changes, `dependents` and `filedeps` find the images through it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pants.build_graph.address import BANNED_CHARS_IN_TARGET_NAME
from pants.engine.addresses import Address
from pants.engine.fs import PathGlobs
from pants.engine.internals.synthetic_targets import SyntheticAddressMaps, SyntheticTargetsRequest
from pants.engine.internals.target_adaptor import TargetAdaptor

from pants_docker_buildkit.compat import path_globs_to_paths, rule
from pants_docker_buildkit.dockerfile.ignorefile import (
    IGNORE_FILE_NAME,
    ignore_file_candidates,
    named_context_ignore_file,
)
from pants_docker_buildkit.fields.dockerfile import (
    LOWER_CASE_DOCKERFILE,
    POLICY_FILE_ENDING,
    BuildKitImageSourceField,
    names_beside,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import BaseImages
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.target_types import ImageInputTarget
from pants_docker_buildkit.util_rules.dockerfile import ImageDockerfile
from pants_docker_buildkit.util_rules.image_lock import image_lock_path, lock_paths
from pants_docker_buildkit.util_rules.upstream_targets import UpstreamTargets

_OF_CONTEXTS = f"**/{IGNORE_FILE_NAME}"
_LOWER_CASE = f"**/{LOWER_CASE_DOCKERFILE}"
_ESCAPED = re.compile(f"[%{re.escape(''.join(sorted(BANNED_CHARS_IN_TARGET_NAME)))}]")
_BESIDE_DOCKERFILES = (f"**/?*{IGNORE_FILE_NAME}", f"**/?*{POLICY_FILE_ENDING}")


@dataclass(frozen=True)
class ImageInputTargetsRequest(SyntheticTargetsRequest):
    """Asks for the targets of all such files."""

    path: str = SyntheticTargetsRequest.SINGLE_REQUEST_FOR_ALL_TARGETS


def input_address(path: str) -> Address:
    """The target of a file. A single name that Pants refuses would keep it from doing anything."""
    directory, name = os.path.split(path)
    return Address(directory, target_name=f"_{_ESCAPED.sub(_escape, name)}")


def _escape(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02x}"


def _adaptor(path: str) -> TargetAdaptor:
    return TargetAdaptor(
        ImageInputTarget.alias,
        name=input_address(path).target_name,
        source=os.path.basename(path),
        __description_of_origin__=f"the file {path}",
    )


@rule(desc="Find files that images read")
async def list_image_input_targets(
    request: ImageInputTargetsRequest, subsystem: DockerBuildKitSubsystem
) -> SyntheticAddressMaps:
    found = await path_globs_to_paths(PathGlobs((_OF_CONTEXTS, *_BESIDE_DOCKERFILES, _LOWER_CASE)))
    others = [path for path in found.files if os.path.basename(path) != IGNORE_FILE_NAME]
    files = set((await path_globs_to_paths(PathGlobs(_dockerfile(path) for path in others))).files)
    # An ending alone says little, and a `dockerfile` counts only where there is no `Dockerfile`.
    unread = {path for path in others if _is_lower_case(path) is (_dockerfile(path) in files)}
    # That of the build root stands for all that were removed, so it is always there.
    paths = {IGNORE_FILE_NAME, *found.files} - unread | _of_options(subsystem)
    # For the name of its BUILD file Pants takes any: it is shown where files are listed.
    return SyntheticAddressMaps.for_targets_request(
        request, [(path, (_adaptor(path),)) for path in sorted(paths)]
    )


def _shared_policies(subsystem: DockerBuildKitSubsystem) -> set[str]:
    return {os.path.normpath(path) for path in subsystem.policies}


def _of_options(subsystem: DockerBuildKitSubsystem) -> set[str]:
    """The files that options name, and images read."""
    is_locked = subsystem.base_images is not BaseImages.FOLLOW
    locks = lock_paths(subsystem).values() if is_locked else ()
    return {*_shared_policies(subsystem), *locks}


def _is_lower_case(path: str) -> bool:
    return os.path.basename(path) == LOWER_CASE_DOCKERFILE


def _dockerfile(path: str) -> str:
    """The Dockerfile that a file lies beside, or that a file would stand in for."""
    if _is_lower_case(path):
        return os.path.join(os.path.dirname(path), BuildKitImageSourceField.default)
    for ending in (IGNORE_FILE_NAME, POLICY_FILE_ENDING):
        path = path.removesuffix(ending)
    return path


async def find_image_input_files(
    field_set: BuildKitImageFieldSet,
    dockerfile: ImageDockerfile,
    upstream: UpstreamTargets,
    subsystem: DockerBuildKitSubsystem,
) -> set[Address]:
    """The targets of the files that the build of an image reads."""
    root = field_set.context_directory(subsystem.default_context_root)
    path = dockerfile.path
    beside = set[str]() if path is None else set(names_beside(path))
    if path is not None and _is_lower_case(path):
        beside.add(path)
    # BuildKit applies no ignore file to a repository.
    main = () if field_set.context.value else ignore_file_candidates(dockerfile.path, root)
    # Of files the context is their directory, of packages the build root.
    roots = {each for _, address in upstream.contexts for each in (address.spec_path, "")}
    named = {named_context_ignore_file(each) for each in roots}
    inside = sorted(path for path in {*main, *named, *beside} if not path.startswith("../"))
    found = set((await path_globs_to_paths(PathGlobs(inside))).files)
    chosen = [path for path in main if path in found][:1] or main[-1:]
    wanted = {*chosen, *named, *(beside & found)}
    # One that was removed is owned by the image, if it was in its directory, and else by the target
    # of the one in the build root.
    own = os.path.join(field_set.address.spec_path, IGNORE_FILE_NAME)
    there = {path if path in found else IGNORE_FILE_NAME for path in wanted - ({own} - found)}
    lock = image_lock_path(field_set, subsystem)
    shared = _shared_policies(subsystem) | ({lock} if lock is not None else set())
    return {input_address(path) for path in there | shared}
