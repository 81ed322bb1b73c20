"""Does an image need itself? Asked once Pants said so of rules, whose names tell a user little."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pants.engine.addresses import Address, Addresses
from pants.engine.rules import Rule, collect_rules
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    SpecialCasedDependencies,
    Target,
)

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    resolve_address_targets,
    resolve_dependency_targets,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.util_rules.build_context import has_build


@dataclass(frozen=True)
class ImageCycleRequest:
    """Asks whether an image that this target needs, or the target itself, needs itself."""

    address: Address


@dataclass(frozen=True)
class ImageCycle:
    """Targets, each of which needs the next, the first of them last again. Empty if it is none."""

    addresses: tuple[Address, ...]


def _special_fields(target: Target) -> tuple[SpecialCasedDependencies, ...]:
    """The fields of a target, such as `packages` of an archive, that also name what it needs."""
    fields = target.field_values.values()
    return tuple(each for each in fields if isinstance(each, SpecialCasedDependencies))


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
    images: list[Address] = []
    needs: dict[Address, list[Address]] = {}
    layer = tuple(await resolve_address_targets(**implicitly(Addresses([request.address]))))
    while layer:
        images += (each.address for each in layer if has_build(each))
        needs.update((each.address, []) for each in layer)
        ordinary = await concurrently(
            resolve_dependency_targets(**implicitly(DependenciesRequest(each.get(Dependencies))))
            for each in layer
        )
        special = [(each.address, field) for each in layer for field in _special_fields(each)]
        inputs = await concurrently(
            resolve_unparsed_address_inputs(field.to_unparsed_address_inputs(), **implicitly())
            for _, field in special
        )
        named = await concurrently(
            resolve_address_targets(**implicitly(Addresses(each))) for each in inputs
        )
        found: dict[Address, Target] = {}
        owners = (*(each.address for each in layer), *(address for address, _ in special))
        for owner, targets in zip(owners, (*ordinary, *named)):
            needs[owner] += (each.address for each in targets)
            found.update((each.address, each) for each in targets if each.address not in needs)
        layer = tuple(found.values())
    return find_cycle(images, needs)


def rules() -> Iterable[Rule]:
    return collect_rules()
