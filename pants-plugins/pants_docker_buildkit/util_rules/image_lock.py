"""What does the lock of an image say, where `[docker-buildkit].base_images` has one used?"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.fs import PathGlobs
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict

from pants_docker_buildkit.compat import get_digest_contents, implicitly, path_globs_to_digest, rule
from pants_docker_buildkit.errors import InvalidImageLockError, InvalidOptionError, NotLockedError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import BaseImages, InvalidLockFileError, Lock, parse_lock
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.option_values import text_entries

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageLockRequest:
    """Asks for the lock file at a path, if it is there."""

    path: str


@dataclass(frozen=True)
class LockFile:
    """What a lock file says; `lock` is `None` where there is no such file."""

    lock: Lock | None


@dataclass(frozen=True)
class AppliedLock:
    """How the moving names of one image become pins.

    Without a `lock`, as they are now. One without a `path` is being generated. `must_have_all` says
    that what the lock lacks is an error, and not looked up; `is_there`, that the file exists.
    """

    lock: Lock | None = None
    path: str = ""
    resolve: str = ""
    must_have_all: bool = False
    is_there: bool = True

    def pin(self, reference: ImageReference) -> ImageReference | None:
        """`reference`, which has a tag, with the digest of the lock."""
        return None if self.lock is None else self.lock.pin(reference)

    def download(self, url: str) -> str | None:
        """The checksum or commit of what a URL gives."""
        return None if self.lock is None else self.lock.downloads.get(url)

    def say_missing(self, address: Address, name: str, line: int | None) -> None:
        """Refuse what the lock lacks, or log that it is looked up.

        `name` is an image as people write it, or a URL. Does nothing where no lock is in use.
        """
        if self.lock is None or not self.path:
            return
        try:
            others = self.lock.other_tags(ImageReference.parse_familiar(name))
        except ValueError:
            others = ()
        command = generating_command(self.resolve)
        path = self.path if self.is_there else f"{self.path}, which does not exist"
        error = NotLockedError(address, redact(name), line, path, others, command)
        if self.must_have_all:
            raise error
        logger.warning(f"{error.finding} It is looked up now. Run '{command}' to lock it.")


NO_LOCK = AppliedLock()


def generating_command(resolve: str) -> str:
    """What generates a lock."""
    return f"{bin_name()} generate-lockfiles --resolve={resolve}"


def lock_paths(subsystem: DockerBuildKitSubsystem) -> FrozenDict[str, str]:
    """The lock file of each resolve, from the build root."""
    paths = {}
    for name, path in text_entries("resolves", subsystem.resolves).items():
        normal = os.path.normpath(path)
        if os.path.isabs(normal) or normal.split("/")[0] in ("..", "."):
            requirement = "name a file below the build root for each resolve"
            raise InvalidOptionError("resolves", requirement, f"for {name!r} it has {path!r}")
        paths[name] = normal
    return FrozenDict(paths)


def image_resolve(field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem) -> str:
    """The name of the resolve that an image belongs to."""
    field, known = field_set.resolve, sorted(lock_paths(subsystem))
    name = field.value or subsystem.default_resolve
    if name in known:
        return name
    requirement = f"name one of `[docker-buildkit].resolves`, which are {known}"
    if field.value:
        raise field_set.error(field, requirement, f"it is {name!r}")
    raise InvalidOptionError("default_resolve", requirement, f"it is {name!r}")


def image_lock_path(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> str | None:
    """The lock file that the build of an image reads; `None` where it follows tags."""
    if subsystem.base_images is BaseImages.FOLLOW:
        return None
    return lock_paths(subsystem)[image_resolve(field_set, subsystem)]


@rule(desc="Read image lock")
async def read_lock_file(request: ImageLockRequest) -> LockFile:
    digest = await path_globs_to_digest(PathGlobs((request.path,)), **implicitly())
    for file in await get_digest_contents(digest):
        try:
            return LockFile(parse_lock(file.content))
        except InvalidLockFileError as e:
            raise InvalidImageLockError(
                request.path, e.line, e.requirement, redact(e.finding)
            ) from e
    return LockFile(None)


async def find_applied_lock(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> AppliedLock:
    """The lock that the build of an image goes by, if any."""
    if subsystem.base_images is BaseImages.FOLLOW:
        if field_set.resolve.value:
            # A name that no resolve has is refused where no lock is used, too.
            image_resolve(field_set, subsystem)
        return NO_LOCK
    resolve = image_resolve(field_set, subsystem)
    path = lock_paths(subsystem)[resolve]
    found = (await read_lock_file(ImageLockRequest(path), **implicitly())).lock
    return AppliedLock(
        Lock() if found is None else found,
        path,
        resolve,
        # A lock that is not there is forgotten, or not in the checkout of whoever builds.
        must_have_all=found is None or subsystem.base_images is BaseImages.FROZEN,
        is_there=found is not None,
    )
