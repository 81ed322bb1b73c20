"""Does an image need itself? Asked once Pants said so of rules, whose names tell a user little."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from pants.engine.addresses import Address

from pants_docker_buildkit.compat import implicitly
from pants_docker_buildkit.util_rules.needed_targets import (
    NeededTargetsRequest,
    find_needed_targets,
)


def _find_way_back(
    start: Address, needs: Mapping[Address, Sequence[Address]]
) -> tuple[Address, ...]:
    """The shortest cycle that a target is part of."""
    ways: dict[Address, tuple[Address, ...]] = {start: (start,)}
    waiting = deque(ways)
    while waiting:
        here = waiting.popleft()
        for each in needs.get(here, ()):
            if each == start:
                return (*ways[here], start)
            if each not in ways:
                ways[each] = (*ways[here], each)
                waiting.append(each)
    return ()


def find_cycle(
    images: Iterable[Address], needs: Mapping[Address, Sequence[Address]]
) -> tuple[Address, ...]:
    """A cycle that one of these images is part of; of several, that of the first.

    Each target in it needs the next, and the first is last again. Empty where there is none.
    """
    return next(filter(None, (_find_way_back(each, needs) for each in images)), ())


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


async def find_image_cycle(address: Address) -> tuple[Address, ...]:
    """A cycle of images that a target needs, or that it is one of itself."""
    needed = await find_needed_targets(NeededTargetsRequest(address.spec), **implicitly())
    return find_cycle(needed.images, needed.needs)
