"""Where do registries and servers say something else than a lock?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from pants.engine.target import Target

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import Lock
from pants_docker_buildkit.plans.drift import LockDrift, MovedPin, UnknownDrift
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed, describe
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


@dataclass(frozen=True)
class ImageNames(MayHaveFailed):
    """What the names that move, which an image reads, stand for now; or why that is not known.

    `locked` is what the lock at `path` says, if there is one.
    """

    found: Lock = field(default_factory=Lock)
    resolve: str = ""
    path: str = ""
    locked: Optional[Lock] = None
    problem: str = ""


def _moved(resolve: str, images: Sequence[tuple[str, ImageNames]]) -> Iterable[MovedPin]:
    """Of images of one resolve, which have the same lock."""
    path = images[0][1].path
    before = next((names.locked.entries() for _, names in images if names.locked is not None), {})
    readers: dict[tuple[str, str], list[str]] = {}
    for target, names in images:
        for moved in names.found.entries().items() - before.items():
            readers.setdefault(moved, []).append(target)
    for (name, pin), targets in sorted(readers.items()):
        # What is in no lock has not moved since.
        if name in before:
            command = generating_command(resolve)
            yield MovedPin(redact(name), path, before[name], pin, tuple(sorted(targets)), command)


@rule(desc="Look up what an image reads")
async def find_image_names(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> ImageNames:
    try:
        resolve = image_resolve(field_set, subsystem)
        path = lock_paths(subsystem)[resolve]
        locked = await read_lock_file(ImageLockRequest(path), **implicitly())
        found = await find_moving_sources(MovingSourcesRequest(field_set, Lock()), **implicitly())
    except Exception as e:
        # One that cannot be read, or whose registry is away, is no reason to know nothing.
        return ImageNames(problem=describe(e))
    return ImageNames(found, resolve, path, locked.lock)


async def find_lock_drift(images: Sequence[Target]) -> LockDrift:
    """Whether the locks of these images say what registries say now. For goals."""
    found = await concurrently(
        find_image_names(BuildKitImageFieldSet.create(each), **implicitly()) for each in images
    )
    by_resolve: dict[str, list[tuple[str, ImageNames]]] = {}
    unknown = []
    for image, names in zip(images, found):
        target = image.address.spec
        if names.problem:
            unknown.append(UnknownDrift(target, names.problem))
        else:
            by_resolve.setdefault(names.resolve, []).append((target, names))
    moved = (pin for each in sorted(by_resolve.items()) for pin in _moved(*each))
    return LockDrift(tuple(moved), tuple(unknown))
