"""Which targets can put a path into a build context?"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pants.backend.docker.target_types import DockerImageSourceField
from pants.core.goals.package import OutputPathField
from pants.core.target_types import RelocatedFilesOriginalTargetsField
from pants.engine.addresses import Address, Addresses
from pants.engine.target import AllTargets, SourcesField, SpecialCasedDependencies, Target
from pants.util.frozendict import FrozenDict

from pants_docker_buildkit.compat import (
    concurrently,
    implicitly,
    resolve_address_targets,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.dockerfile.patterns import (
    IgnorePattern,
    InvalidPatternError,
    PatternMatcher,
)
from pants_docker_buildkit.dockerfile.stage_contents import directory_of_wildcards
from pants_docker_buildkit.fields.manifests import BuildKitManifestsSourcesField
from pants_docker_buildkit.fields.references import BuildKitImageRefsImagesField
from pants_docker_buildkit.image_field_set import has_build, is_image
from pants_docker_buildkit.util_rules.build_context import CONTENT_FIELDS
from pants_docker_buildkit.util_rules.generated_paths import generated_paths, relocated_path
from pants_docker_buildkit.util_rules.glob_texts import unescaped

_FIELDS_OF_IMAGES = (
    DockerImageSourceField,
    BuildKitImageRefsImagesField,
    BuildKitManifestsSourcesField,
)


@dataclass(frozen=True)
class Places:
    """Targets by paths from the build root. `paths` are all of them, sorted."""

    targets: FrozenDict[str, tuple[Address, ...]]
    paths: tuple[str, ...]

    @classmethod
    def create(cls, pairs: Iterable[tuple[str, Address]]) -> Places:
        """The targets at these paths."""
        found = defaultdict[str, list[Address]](list)
        for path, address in pairs:
            found[path].append(address)
        targets = FrozenDict({path: tuple(each) for path, each in found.items()})
        return cls(targets, tuple(sorted(targets)))

    def at(self, path: str) -> tuple[Address, ...]:
        """The targets at a path."""
        return self.targets.get(path, ())

    def inside(self, path: str) -> Iterator[Address]:
        """The targets at a path and below it."""
        yield from self.at(path)
        for each in _below(path, self.paths):
            yield from self.targets[each]


@dataclass(frozen=True)
class ContextProviders:
    """Targets by the path from the build root that they provide.

    `paths` are those of `files`, sorted. `generated` are directories below which a target may
    generate any file. `outputs` are the output paths of packageable targets, without the file
    ending that those `with_ending` add. Those `of_images` are made of images, perhaps of the one
    that asks, so that they have to be named, and no directory stands for them.
    """

    files: FrozenDict[str, Address]
    paths: tuple[str, ...]
    generated: Places
    outputs: Places
    with_ending: frozenset[Address]
    of_images: frozenset[Address]

    @classmethod
    def create(
        cls,
        files: Mapping[str, Address],
        generated: Iterable[tuple[str, Address]],
        packages: Mapping[Address, OutputPathField],
        of_images: Iterable[Address] = (),
    ) -> ContextProviders:
        """What these targets provide."""
        outputs = {
            address: field.value_or_default(file_ending=None) for address, field in packages.items()
        }
        return cls(
            FrozenDict(files),
            tuple(sorted(files)),
            Places.create(generated),
            Places.create((path, address) for address, path in outputs.items()),
            frozenset(
                address
                for address, field in packages.items()
                if field.value_or_default(file_ending="x") != outputs[address]
            ),
            frozenset(of_images),
        )

    def providing(self, wanted: Iterable[str]) -> Iterator[Address]:
        """The targets that provide these paths, or what lies below them.

        Where several own a file, any will do: its content is the same, and the first by address is
        taken.
        """
        for path in set(wanted):
            yield from self.outputs.at(path)
            inside = self.outputs.inside(path)
            yield from (each for each in inside if each not in self.of_images)
            for ending in _endings(path):
                without = path[: -len(ending) - 1]
                yield from self.with_ending.intersection(self.outputs.at(without))
            if path in self.files:
                yield self.files[path]
                continue
            yield from (self.files[each] for each in _below(path, self.paths))
            yield from self.generated.inside(path)
            for directory in parents(path):
                yield from self.generated.at(directory)

    def matching(self, directory: str, pattern: str) -> Iterator[Address]:
        """The targets that provide what a path with wildcards finds below a directory.

        Both are as BuildKit reads them, the pattern relative to the directory. One that finds
        everything says nothing, nor does one that BuildKit refuses.
        """
        if set(pattern.split("/")) <= {"*", "**"}:
            return
        try:
            is_named, is_found = _comparisons(directory, pattern)
        except InvalidPatternError:
            return
        start = posixpath.join(directory, directory_of_wildcards(pattern)).rstrip("/")
        yield from (self.files[path] for path in _below(start, self.paths) if is_found(path))
        for place in (start, *parents(start)):
            yield from self.generated.at(place)
        for place in filter(is_found, _below(start, self.generated.paths)):
            yield from self.generated.at(place)
        endings = [each for each in _endings(pattern) if "*" not in each]
        for path in _below(start, self.outputs.paths):
            places, found = (path, *(f"{path}.{each}" for each in endings)), self.outputs.at(path)
            if not is_found(path):
                found = tuple(self.with_ending.intersection(found))
                if not any(map(is_found, places)):
                    continue
            takes_all = endings and any(map(is_named, places))
            yield from (each for each in found if takes_all or each not in self.of_images)


def _comparisons(
    directory: str, pattern: str
) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
    """Whether a pattern matches a path below a directory, and whether that or one above it.

    Raises `InvalidPatternError`.
    """
    matcher = PatternMatcher((IgnorePattern(pattern),))
    start = len(directory) + 1 if directory else 0

    @cache
    def matches(path: str) -> bool:
        return matcher.last_match(path) == 0

    @cache
    def is_inside(path: str) -> bool:
        return any(map(matches, parents(f"{path}/_")))

    def is_named(path: str) -> bool:
        return matches(path[start:])

    def is_found(path: str) -> bool:
        return is_named(path) or is_inside(posixpath.dirname(path[start:]))

    return is_named, is_found


def _below(directory: str, paths: tuple[str, ...]) -> Iterator[str]:
    """Of sorted paths, those below a directory; all where that is empty."""
    prefix = f"{directory}/" if directory else ""
    for index in range(bisect_left(paths, prefix), len(paths)):
        if not paths[index].startswith(prefix):
            return
        yield paths[index]


def parents(path: str) -> Iterator[str]:
    """The directories above a path, the nearest first, without a root of either kind."""
    while (path := posixpath.dirname(path)) not in ("", "/"):
        yield path


def _endings(path: str) -> list[str]:
    """What may be the file ending of a path: for `a.tar.gz` `tar.gz` or `gz`, or nothing."""
    parts = posixpath.basename(path).split(".")
    return [".".join(parts[start:]) for start in range(1, len(parts))]


def source_paths(target: Target) -> Iterator[str]:
    """The paths from the build root that a target names as its sources, patterns left out."""
    if target.has_field(SourcesField):
        for glob in getattr(target[SourcesField], "globs", ()):
            if "*" not in glob:
                path = unescaped(glob)
                yield posixpath.normpath(posixpath.join(target.address.spec_path, path))


def content_paths(target: Target) -> Iterator[str]:
    """Those of them that a context gets as they are."""
    if any(target.has_field(field) for field in CONTENT_FIELDS):
        yield from source_paths(target)


@dataclass(frozen=True)
class ContentPathsRequest:
    """Asks what a context gets as it is of the target with an address, or of what it generates."""

    address: Address


@dataclass(frozen=True)
class ContentPaths:
    """Paths from the build root."""

    all: frozenset[str]


@rule(desc="Find files of many targets")
async def find_content_paths(request: ContentPathsRequest) -> ContentPaths:
    targets = await resolve_address_targets(**implicitly(Addresses([request.address])))
    return ContentPaths(frozenset(path for target in targets for path in content_paths(target)))


def known_paths(target: Target) -> Iterator[str]:
    """The paths from the build root that a target owns or generates, as far as it names them."""
    yield from source_paths(target)
    yield from generated_paths(target).files


def _add(files: dict[str, Address], target: Target, paths: Iterable[str]) -> None:
    for path in paths:
        files[path] = min(files.get(path, target.address), target.address)


async def _find_those_of_images(all_targets: AllTargets) -> set[Address]:
    """The packageable targets that are made of images, as far as their fields say so."""
    named = [
        (target.address, field)
        for target in all_targets
        if target.has_field(OutputPathField)
        for field in target.field_values.values()
        if isinstance(field, SpecialCasedDependencies) and field.value
    ]
    resolved = await concurrently(
        resolve_unparsed_address_inputs(field.to_unparsed_address_inputs(), **implicitly())
        for _, field in named
    )
    images = {
        target.address
        for target in all_targets
        if is_image(target) or any(map(target.has_field, _FIELDS_OF_IMAGES))
    }
    holding = {
        address
        for (address, _), addresses in zip(named, resolved)
        if not images.isdisjoint(addresses)
    }
    return images | holding


@rule(desc="Find targets that can enter a build context")
async def find_context_providers(all_targets: AllTargets) -> ContextProviders:
    files: dict[str, Address] = {}
    made: dict[str, Address] = {}
    packages: dict[Address, OutputPathField] = {}
    generated = set[tuple[str, Address]]()
    relocating = [
        each for each in all_targets if each.has_field(RelocatedFilesOriginalTargetsField)
    ]
    named = await concurrently(
        resolve_unparsed_address_inputs(
            each[RelocatedFilesOriginalTargetsField].to_unparsed_address_inputs(), **implicitly()
        )
        for each in relocating
    )
    originals = await concurrently(
        resolve_address_targets(**implicitly(Addresses(addresses))) for addresses in named
    )
    for target in all_targets:
        if is_image(target):
            continue
        if target.has_field(OutputPathField) and not has_build(target):
            packages[target.address] = target[OutputPathField]
        found = generated_paths(target)
        generated.update((path, target.address) for path in found.directories)
        _add(files, target, content_paths(target))
        _add(made, target, found.files)
    for target, targets in zip(relocating, originals):
        moved = (relocated_path(target, path) for each in targets for path in known_paths(each))
        _add(made, target, (path for path in moved if path is not None))
    of_images = packages.keys() & await _find_those_of_images(all_targets)
    return ContextProviders.create({**made, **files}, sorted(generated), packages, of_images)


@dataclass(frozen=True)
class WildcardRequest:
    """Asks for what a path with wildcards finds below a directory, both as BuildKit reads them."""

    directory: str
    pattern: str


@dataclass(frozen=True)
class WildcardProviders:
    """The targets that provide it."""

    addresses: frozenset[Address]


@rule(desc="Find targets that wildcards find")
async def find_wildcard_providers(request: WildcardRequest) -> WildcardProviders:
    # Images often share a pattern, and it is compared with all paths of the repository.
    providers = await find_context_providers(**implicitly())
    return WildcardProviders(frozenset(providers.matching(request.directory, request.pattern)))
