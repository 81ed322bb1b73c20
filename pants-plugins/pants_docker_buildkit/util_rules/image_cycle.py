"""Does an image need itself? Asked once Pants said so of rules, whose names tell a user little."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.util_rules.needed_targets import (
    NeededTargetsRequest,
    find_needed_targets,
)


@dataclass(frozen=True)
class ImageCycleRequest:
    """Asks whether an image that this target needs, or the target itself, needs itself."""

    address: Address


@dataclass(frozen=True)
class ImageCycle:
    """Targets, each of which needs the next, the first of them last again. Empty if it is none."""

    addresses: tuple[Address, ...]


def _find_way_back(start: Address, needs: Mapping[Address, Sequence[Address]]) -> ImageCycle:
    """The shortest cycle that a target is part of."""
    ways: dict[Address, tuple[Address, ...]] = {start: (start,)}
    waiting = deque(ways)
    while waiting:
        here = waiting.popleft()
        for each in needs.get(here, ()):
            if each == start:
                return ImageCycle((*ways[here], start))
            if each not in ways:
                ways[each] = (*ways[here], each)
                waiting.append(each)
    return ImageCycle(())


def find_cycle(images: Iterable[Address], needs: Mapping[Address, Sequence[Address]]) -> ImageCycle:
    """A cycle that one of these images is part of; of several, that of the first."""
    cycles = (_find_way_back(each, needs) for each in images)
    return next((each for each in cycles if each.addresses), ImageCycle(()))


def needed_by(start: Address, needs: Mapping[Address, Sequence[Address]]) -> tuple[Address, ...]:
    """A target and all that it needs, the nearest first."""
    found = {start: None}
    waiting = deque(found)
    while waiting:
        for each in needs.get(waiting.popleft(), ()):
            if each not in found:
                found[each] = None
                waiting.append(each)
    return tuple(found)


@rule(desc="Look for a cycle of images")
async def find_image_cycle(request: ImageCycleRequest) -> ImageCycle:
    needed = await find_needed_targets(NeededTargetsRequest(request.address.spec), **implicitly())
    return find_cycle(needed.images, needed.needs)


def rules() -> Iterable[Rule]:
    return collect_rules()
