"""`pants generate-lockfiles`: write what images take from outside into a lock."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    GenerateLockfilesSubsystem,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    LockfileDiff,
    LockfilePackages,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.fs import CreateDigest, FileContent
from pants.engine.target import AllTargets

from pants_docker_buildkit.compat import concurrently, create_digest, implicitly, rule
from pants_docker_buildkit.errors import InvalidImageLockError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, has_build
from pants_docker_buildkit.locks.lock_file import BaseImages, Lock, merge_locks, render_lock
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem, SignaturesSubsystem
from pants_docker_buildkit.util_rules.image_lock import (
    ImageLockRequest,
    generating_command,
    image_resolve,
    lock_paths,
    read_lock_file,
)
from pants_docker_buildkit.util_rules.locked_sources import (
    MovingSourcesRequest,
    find_moving_sources,
)
from pants_docker_buildkit.util_rules.registries import read_configured_registries
from pants_docker_buildkit.util_rules.signatures import SignatureCheckRequest, check_signature

logger = logging.getLogger(__name__)

_SHOWN_PIN = 19


class KnownImageResolvesRequest(KnownUserResolveNamesRequest):
    """Asks which resolves of images there are."""


class RequestedImageResolves(RequestedUserResolveNames):
    """The resolves of images that are to be locked."""


@dataclass(frozen=True)
class GenerateImageLock(GenerateLockfile):
    """Asks for the lock of a resolve."""


@dataclass(frozen=True)
class LockedVersion:
    """A pin, as Pants compares versions: any other is later, because a digest says no order."""

    pin: str

    def __lt__(self, other: object) -> bool:
        return self != other

    def __gt__(self, other: object) -> bool:
        return False

    def __str__(self) -> str:
        return self.pin[:_SHOWN_PIN]


@rule(desc="Find resolves of images")
async def find_image_resolves(
    _: KnownImageResolvesRequest, subsystem: DockerBuildKitSubsystem
) -> KnownUserResolveNames:
    return KnownUserResolveNames(
        names=tuple(sorted(lock_paths(subsystem))),
        option_name="[docker-buildkit].resolves",
        requested_resolve_names_cls=RequestedImageResolves,
    )


@rule(desc="Plan locks of images")
async def plan_image_locks(
    requested: RequestedImageResolves,
    subsystem: DockerBuildKitSubsystem,
    goal: GenerateLockfilesSubsystem,
) -> UserGenerateLockfiles:
    if subsystem.base_images is BaseImages.FOLLOW and not goal.resolve:
        # Whoever locks nothing wants no lock beside those of other languages. By name they get one.
        return UserGenerateLockfiles()
    paths = lock_paths(subsystem)
    return UserGenerateLockfiles(
        GenerateImageLock(name, paths[name], diff=False) for name in sorted(requested)
    )


def _kept(lock: Lock | None, patterns: Iterable[str]) -> Lock:
    """What stays as it is: with patterns, all that none of them matches."""
    wanted = tuple(patterns)
    if lock is None or not wanted:
        return Lock()

    def stays(*names: str) -> bool:
        return not any(fnmatchcase(name, each) for name in names for each in wanted)

    def names_of(reference: str) -> tuple[str, ...]:
        familiar = ImageReference.parse(reference).familiar
        return reference, familiar, familiar.rpartition(":")[0]

    return Lock(
        {name: pin for name, pin in lock.images.items() if stays(*names_of(name))},
        {url: pin for url, pin in lock.downloads.items() if stays(url)},
    )


def _packages(lock: Lock) -> LockfilePackages:
    return LockfilePackages(
        {redact(name): LockedVersion(pin) for name, pin in lock.entries().items()}
    )


def _name_of(pattern: str) -> str:
    """The part of a pattern of names that says which registry is meant, if it does."""
    return pattern.partition("/")[0]


async def _verify_base_images(path: str, lock: Lock, signatures: SignaturesSubsystem) -> None:
    """Refuse base images that are not signed as options want it, before they get into a lock."""
    if not signatures.verify:
        return
    images = {
        name: ImageReference.parse(name).pinned(digest)
        for name, digest in sorted(lock.images.items())
    }
    checks = await concurrently(
        check_signature(
            SignatureCheckRequest(f"{each.familiar}, of the lock {path},", (each,)),
            **implicitly(),
        )
        for each in images.values()
    )
    configured = await read_configured_registries(**implicitly())
    # These are about images of this repository.
    own = {each.address for each in configured.all}
    unused = set(signatures.verify) - {each.pattern for each in checks}
    unused = {each for each in unused if _name_of(each) not in own}
    if unused:
        patterns = ", ".join(repr(each) for each in sorted(unused))
        logger.warning(
            f"No image of the lock {path} was verified by these entries of"
            f" '[{signatures.options_scope}].verify': {patterns}. Other locks may have such images."
        )


@rule(desc="Generate lock of images")
async def generate_image_lock(
    request: GenerateImageLock,
    targets: AllTargets,
    subsystem: DockerBuildKitSubsystem,
    signatures: SignaturesSubsystem,
    goal: GenerateLockfilesSubsystem,
) -> GenerateLockfileResult:
    resolve, path = request.resolve_name, request.lockfile_dest
    old: Lock | None = None
    try:
        if request.diff or subsystem.lock_update:
            old = (await read_lock_file(ImageLockRequest(path), **implicitly())).lock
    except InvalidImageLockError:
        # A conflict of two branches ends by generating, unless parts of the old lock are to stay.
        if subsystem.lock_update:
            raise
    kept = _kept(old, subsystem.lock_update)
    if old is not None and subsystem.lock_update and kept == old:
        patterns = ", ".join(subsystem.lock_update)
        logger.warning(f"Nothing in the lock {path} is matched by `lock_update`: {patterns}.")
    field_sets = [BuildKitImageFieldSet.create(target) for target in targets if has_build(target)]
    found = await concurrently(
        find_moving_sources(MovingSourcesRequest(each, kept), **implicitly())
        for each in field_sets
        if image_resolve(each, subsystem) == resolve
    )
    lock = merge_locks(found)
    await _verify_base_images(path, lock, signatures)
    command = goal.custom_command or generating_command(resolve)
    digest = await create_digest(CreateDigest([FileContent(path, render_lock(lock, command))]))
    diff = None
    if request.diff:
        before = _packages(old or Lock())
        diff = LockfileDiff.create(path, resolve, before, _packages(lock))
    return GenerateLockfileResult(digest, resolve, path, diff)
