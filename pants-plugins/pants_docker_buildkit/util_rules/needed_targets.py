"""What does a target need, at any depth, and which of that does BuildKit build?"""

from __future__ import annotations

from dataclasses import dataclass

from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.target import Dependencies, DependenciesRequest, SpecialCasedDependencies, Target
from pants.util.frozendict import FrozenDict

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    resolve_address_targets,
    resolve_dependency_targets,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.image_field_set import has_build


@dataclass(frozen=True)
class NeededTargetsRequest:
    """Asks for all that the target with this address needs."""

    target: str


@dataclass(frozen=True)
class NeededTargets:
    """The target and all that it needs, each with what it needs itself.

    `images` are those that BuildKit builds, the nearest first.
    """

    images: tuple[Address, ...]
    needs: FrozenDict[Address, tuple[Address, ...]]


def _special_fields(target: Target) -> tuple[SpecialCasedDependencies, ...]:
    """The fields of a target, such as `packages` of an archive, that also name what it needs."""
    fields = target.field_values.values()
    return tuple(each for each in fields if isinstance(each, SpecialCasedDependencies))


@rule(desc="Find all that a target needs")
async def find_needed_targets(request: NeededTargetsRequest) -> NeededTargets:
    images: list[Address] = []
    needs: dict[Address, list[Address]] = {}
    start = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            (request.target,), owning_address=None, description_of_origin="the target itself"
        ),
        **implicitly(),
    )
    layer = tuple(await resolve_address_targets(**implicitly(start)))
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
    return NeededTargets(
        tuple(images), FrozenDict({address: tuple(each) for address, each in needs.items()})
    )
