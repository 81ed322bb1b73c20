"""Where do registries and servers say something else than a lock?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.rules import Rule, collect_rules
from pants.engine.target import Target

from pants_docker_buildkit.compat import concurrently, implicitly, rule
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.locks.lock_file import Lock, merge_locks
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
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
class LockDriftRequest:
    """Asks whether the locks of these images say what registries say now."""

    images: tuple[Target, ...]


@dataclass(frozen=True)
class LockDrift:
    """A sentence for each name that moved since it was locked. Empty where none did."""

    lines: tuple[str, ...]


def _drift(path: str, resolve: str, locked: Lock, found: Lock) -> Iterable[str]:
    before = locked.entries()
    for name, pin in found.entries().items():
        old = before.get(name)
        if old is not None and old != pin:
            yield (
                f"{redact(name)} has moved: the lock {path} has {old}, and there it is {pin} now."
                f" '{generating_command(resolve)}' brings the lock up to date."
            )


@rule(desc="Compare locks of images with registries")
async def find_lock_drift(
    request: LockDriftRequest, subsystem: DockerBuildKitSubsystem
) -> LockDrift:
    field_sets = [BuildKitImageFieldSet.create(each) for each in request.images]
    found = await concurrently(
        find_moving_sources(MovingSourcesRequest(each, Lock()), **implicitly())
        for each in field_sets
    )
    by_resolve: dict[str, list[Lock]] = {}
    for field_set, sources in zip(field_sets, found):
        by_resolve.setdefault(image_resolve(field_set, subsystem), []).append(sources.lock)
    paths = lock_paths(subsystem)
    files = await concurrently(
        read_lock_file(ImageLockRequest(paths[each]), **implicitly()) for each in by_resolve
    )
    lines: list[str] = []
    for (resolve, locks), file in zip(by_resolve.items(), files):
        if file.lock is not None:
            lines += _drift(paths[resolve], resolve, file.lock, merge_locks(locks))
    return LockDrift(tuple(lines))


def rules() -> Iterable[Rule]:
    return collect_rules()
