"""Which targets do texts mean that should be addresses, and what may have been meant by others?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.fs import GlobMatchErrorBehavior, PathGlobs
from pants.engine.target import AllTargets, AllUnexpandedTargets
from pants.util.frozendict import FrozenDict

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    path_globs_to_paths,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.image_field_set import has_build
from pants_docker_buildkit.util_rules.glob_texts import is_literal


@dataclass(frozen=True)
class KnownAddresses:
    """The addresses of all targets of the repository.

    `names` are what the targets are called that the BUILD files of a directory declare, `images`
    those that are images. `several` are the images of each target that stands for those of several
    stages.
    """

    all: frozenset[Address]
    names: FrozenDict[str, tuple[str, ...]]
    images: FrozenDict[str, tuple[str, ...]]
    several: FrozenDict[Address, tuple[Address, ...]]

    @classmethod
    def create(cls, addresses: Iterable[Address], images: Iterable[Address]) -> KnownAddresses:
        """Of these targets, of which some are images."""
        known = frozenset(addresses)
        single, several = set[Address](), defaultdict[Address, list[Address]](list)
        for each in images:
            if each.generated_name is None:
                single.add(each)
                continue
            for generator in _generators(each):
                several[generator].append(each)
        stages = {stage for each in several.values() for stage in each}
        return cls(
            known,
            _names_by_directory(known - set(several), stages),
            _names_by_directory({*single, *several, *stages}, stages),
            FrozenDict({address: tuple(sorted(each)) for address, each in several.items()}),
        )

    def why_not_one(self, address: Address) -> str:
        """What to say where one image must be meant; empty if it is not several that are."""
        several = self.several.get(address)
        if several is None:
            return ""
        return f"stands for several images. Name one of them: {', '.join(map(str, several))}"

    def neighbours(self, addresses: Iterable[Address]) -> str:
        """The targets that lie where an address points to, as a sentence."""
        for address in addresses:
            names = self.names.get(address.spec_path)
            if names:
                directory = address.spec_path or "the build root"
                return f"Targets in {directory}: {', '.join(repr(f':{name}') for name in names)}."
        return ""


def _generators(image: Address) -> set[Address]:
    """The addresses of what made an image of a stage, with and without its parameters."""
    bare = image.maybe_convert_to_target_generator()
    parameters = image.parameters
    return {bare, Address(bare.spec_path, target_name=bare.target_name, parameters=parameters)}


def _names_by_directory(
    addresses: Iterable[Address], stages: Container[Address]
) -> FrozenDict[str, tuple[str, ...]]:
    """What stands for targets after the colon, for those that are `stages` with the stage."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for each in addresses:
        stage = f"#{each.generated_name}" if each in stages else ""
        names[each.spec_path].add(f"{each.target_name}{stage}")
    return FrozenDict({path: tuple(sorted(each)) for path, each in names.items()})


@rule(desc="Find addresses of all targets")
async def find_known_addresses(
    targets: AllTargets, unexpanded: AllUnexpandedTargets
) -> KnownAddresses:
    return KnownAddresses.create(
        (each.address for each in (*targets, *unexpanded)),
        (each.address for each in targets if has_build(each)),
    )


async def known_addresses_in(directories: Iterable[str]) -> KnownAddresses:
    """The addresses of all targets, or none where no such directory is in the repository.

    So a first look at an image does not need all BUILD files, unless it names what is a directory.
    """
    wanted = sorted(set(directories))
    if all(map(_may_be_directory, wanted)):
        globs = PathGlobs(wanted, GlobMatchErrorBehavior.ignore)
        found = await path_globs_to_paths(globs, **implicitly())
        if not found.dirs:
            return KnownAddresses.create((), ())
    return await find_known_addresses(**implicitly())


def _may_be_directory(path: str) -> bool:
    """Whether a glob of Pants can say that a path is none: not of the build root, for example."""
    return is_literal(path) and {"", ".", ".."}.isdisjoint(path.split("/"))


@dataclass(frozen=True)
class WrittenAddressesRequest:
    """Asks what these texts mean as addresses in the BUILD file of a target."""

    owner: Address
    texts: tuple[str, ...]


@dataclass(frozen=True)
class WrittenAddresses:
    """The addresses that each text may stand for, none where it is not one; and which exist."""

    by_text: FrozenDict[str, Addresses]
    known: KnownAddresses

    def existing(self, text: str) -> Address | None:
        """The target that a text stands for, if there is one."""
        return next((each for each in self.by_text[text] if each in self.known.all), None)


@rule(desc="Resolve written addresses")
async def resolve_written_addresses(request: WrittenAddressesRequest) -> WrittenAddresses:
    resolved = await concurrently(
        resolve_unparsed_address_inputs(
            UnparsedAddressInputs(
                (text,),
                owning_address=request.owner,
                description_of_origin=f"{request.owner}",
                skip_invalid_addresses=True,
            ),
            **implicitly(),
        )
        for text in request.texts
    )
    known = await known_addresses_in(
        address.spec_path for addresses in resolved for address in addresses
    )
    return WrittenAddresses(FrozenDict(zip(request.texts, resolved)), known)
