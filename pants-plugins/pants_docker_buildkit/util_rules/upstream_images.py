"""What do the targets that an image refers to give to its build?"""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pants.backend.docker.target_types import DockerImageSourceField
from pants.core.goals.package import EnvironmentAwarePackageRequest, PackageFieldSet
from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, Digest
from pants.engine.target import FieldSetsPerTargetRequest, Target

from pants_docker_buildkit.built_image import BuiltBuildKitImage, image_in
from pants_docker_buildkit.compat import (
    add_prefix,
    concurrently,
    environment_aware_package,
    find_valid_field_sets,
    implicitly,
    rule,
)
from pants_docker_buildkit.errors import InvalidImageFieldError, UnreadableIgnoreFileError
from pants_docker_buildkit.fields.naming import ImageOutput, RunOutput
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, artifacts_field, is_image
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.solver.archived_image import ArchivedImage
from pants_docker_buildkit.solver.definition import BuildDefinition, ContextKind, NamedContext
from pants_docker_buildkit.solver.input_tree import LAYOUTS_DIRECTORY, NAMED_CONTEXTS_DIRECTORY
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.build_context import (
    ContextTree,
    NamedFilesRequest,
    assemble_named_context,
    unreadable_ignore_file,
)
from pants_docker_buildkit.util_rules.image_archives import (
    ImageArchiveRequest,
    possible_archive,
    unpack_image_archive,
)
from pants_docker_buildkit.util_rules.image_names import image_registries
from pants_docker_buildkit.util_rules.registries import read_configured_registries
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargets,
    find_upstream_targets,
    targets_at,
)


@dataclass(frozen=True)
class Upstream:
    """Named contexts and build arguments that stand for other targets.

    `layouts` are those of named contexts, below the directories that these name, which come first;
    `named_files` are those that are files, by the context's name. `images` are
    all images, by their digest.
    """

    contexts: tuple[NamedContext, ...]
    build_args: tuple[tuple[str, str], ...]
    layouts: tuple[tuple[str, Digest], ...]
    named_files: tuple[tuple[str, ContextTree], ...]
    images: tuple[tuple[str, tuple[PlatformImage, ...]], ...] = ()

    def reaching(self, names: Container[str]) -> Upstream:
        """The same for a build that uses the contexts of these names only."""
        contexts = tuple(each for each in self.contexts if each.name in names)
        directories = {each.directory for each in contexts}
        return replace(
            self,
            contexts=contexts,
            layouts=tuple(each for each in self.layouts if each[0] in directories),
            named_files=tuple(each for each in self.named_files if each[0] in names),
        )


@dataclass(frozen=True)
class _ArchiveLayout:
    """The image that the one file of a target holds, and its layout."""

    image: ArchivedImage
    layout: Digest


@dataclass(frozen=True)
class _Packages:
    """The targets behind addresses, and the images among them.

    All others are `files`, of which some hold an image. `registries` are those of the image that
    needs them all.
    """

    registries: frozenset[str]
    targets: Mapping[Address, tuple[Target, ...]]
    images: Mapping[Address, BuiltBuildKitImage]
    files: Mapping[Address, ContextTree]
    archives: Mapping[Address, _ArchiveLayout]

    def layouts(self) -> Iterator[tuple[str, Digest]]:
        """The images that are layouts, with where these lie."""
        for address, image in self.images.items():
            if not image.references:
                yield _layout_directory(address), image.layout
        for address, archive in self.archives.items():
            yield _layout_directory(address), archive.layout

    def known_platforms(self) -> Iterator[tuple[str, tuple[PlatformImage, ...]]]:
        """What each image is for each platform, by its digest."""
        for image in self.images.values():
            yield str(image.image_digest), image.platforms
        for archive in self.archives.values():
            yield archive.image.digest, archive.image.platforms

    def nearest(self, references: tuple[str, ...]) -> str:
        """The reference in a registry that the image itself names, or else the first."""
        own = (each for each in references if each.partition("/")[0] in self.registries)
        return next(own, references[0])


def as_upstream(
    field_set: BuildKitImageFieldSet, option: RunOutput | None
) -> BuildKitImageFieldSet:
    """An image target as what others are built on: another value only where that is another image.

    Otherwise the rules would run twice for one image.
    """
    is_local = option is RunOutput.DOCKER or field_set.output.value == ImageOutput.DOCKER.value
    return replace(field_set, is_upstream=True) if is_local else field_set


def _bases(
    targets: Mapping[Address, tuple[Target, ...]], option: RunOutput | None
) -> list[BuildKitImageFieldSet]:
    """The images among some targets."""
    images = [each[0] for each in targets.values() if len(each) == 1 and is_image(each[0])]
    return [as_upstream(BuildKitImageFieldSet.create(each), option) for each in images]


async def package_bases(
    field_set: BuildKitImageFieldSet, definition: BuildDefinition, option: RunOutput | None
) -> None:
    """Package the images that one was built on by this definition, with all that is said of them.

    To build it takes the images alone.
    """
    upstream = await find_upstream_targets(field_set, **implicitly())
    used = {each.name for each in definition.named_contexts}
    addresses = (*upstream.addresses, *(each for name, each in upstream.others if name in used))
    bases = _bases(await targets_at(dict.fromkeys(addresses)), option)
    await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(each)) for each in bases
    )


async def _package(
    field_set: BuildKitImageFieldSet,
    upstream: UpstreamTargets,
    subsystem: DockerBuildKitSubsystem,
) -> _Packages:
    targets = await targets_at(upstream.addresses)
    for name, address in upstream.arguments:
        # Others may hold an image in a file. This is known without building it.
        if any(map(_why_no_image, targets[address])):
            raise _not_an_image(field_set, name, address, targets[address])
    for name, address in upstream.contexts:
        if any(map(_is_docker_image, targets[address])):
            reason = f"for {name!r} it names {address}, {_NO_DIGEST}"
            rule = "name images that have a digest"
            raise field_set.error(field_set.build_contexts, rule, reason, _move(address))
    bases = _bases(targets, subsystem.output)
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(replace(each, image_only=True)))
        for each in bases
    )
    built = {each.address: image_in(package) for each, package in zip(bases, packages)}
    files = await _collect_files(
        field_set, {address: each for address, each in targets.items() if address not in built}
    )
    configured = await read_configured_registries(**implicitly())
    registries = frozenset(each.address for each in image_registries(field_set, configured))
    return _Packages(registries, targets, built, files, await _unpack(field_set, files))


async def _collect_files(
    field_set: BuildKitImageFieldSet, targets: Mapping[Address, tuple[Target, ...]]
) -> Mapping[Address, ContextTree]:
    try:
        trees = await concurrently(
            assemble_named_context(NamedFilesRequest(*each), **implicitly())
            for each in targets.items()
        )
    except UnreadableIgnoreFileError as e:
        raise unreadable_ignore_file(field_set, field_set.build_contexts, e) from e
    return dict(zip(targets, trees))


async def find_archived_images(
    field_set: BuildKitImageFieldSet, addresses: Iterable[Address]
) -> Mapping[Address, ArchivedImage]:
    """The images that the files of some of these targets are, none of which is an image target."""
    files = await _collect_files(field_set, await targets_at(addresses))
    found = await _unpack(field_set, files)
    return {address: each.image for address, each in found.items()}


async def _unpack(
    field_set: BuildKitImageFieldSet, files: Mapping[Address, ContextTree]
) -> Mapping[Address, _ArchiveLayout]:
    """The images that some targets are, each in its one file."""
    possible = {address: possible_archive(tree.entries) for address, tree in files.items()}
    requests = {
        address: ImageArchiveRequest(file) for address, file in possible.items() if file is not None
    }
    archives = await concurrently(
        unpack_image_archive(each, **implicitly()) for each in requests.values()
    )
    found = {}
    for address, archive in zip(requests, archives):
        if archive.problem:
            raise _unusable_archive(field_set, address, requests[address], archive.problem)
        if archive.image is not None:
            found[address] = _ArchiveLayout(archive.image, archive.layout)
    return found


def _contexts(upstream: UpstreamTargets, packages: _Packages) -> Iterator[NamedContext]:
    """What stands behind `build_contexts`."""
    for name, address in upstream.contexts:
        context = _image_context(name, address, packages)
        directory = f"{NAMED_CONTEXTS_DIRECTORY}/{name}"
        yield context or NamedContext(name, ContextKind.FILES, directory=directory)


def _arguments(
    field_set: BuildKitImageFieldSet, upstream: UpstreamTargets, packages: _Packages
) -> Iterator[tuple[str, str, NamedContext | None]]:
    """The name and value of each `ARG`, and the context that the value names, if it does.

    A layout has no reference, so its `ARG` gets the name of a build context that is it.
    """
    for name, address in upstream.arguments:
        context_name = f"pants-{name.lower().replace('_', '-')}"
        context = _image_context(context_name, address, packages)
        if context is None:
            raise _not_an_image(field_set, name, address, packages.targets[address])
        if context.kind is ContextKind.IMAGE:
            yield name, context.value, None
        else:
            yield name, context_name, context


async def _output_paths(copied: tuple[tuple[str, Address], ...]) -> tuple[tuple[str, str], ...]:
    """The `ARG`s that name targets, with the path that each has in the context."""
    targets = await targets_at(address for _, address in copied)
    field_sets = await concurrently(
        find_valid_field_sets(FieldSetsPerTargetRequest(PackageFieldSet, each), **implicitly())
        for each in targets.values()
    )
    found = {
        address: each.field_sets[0]
        for address, each in zip(targets, field_sets)
        if len(each.field_sets) == 1
    }
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(each)) for each in found.values()
    )
    paths = {
        address: shlex.join(each.relpath for each in package.artifacts if each.relpath)
        for address, package in zip(found, packages)
    }
    return tuple((name, paths[address]) for name, address in copied if paths.get(address))


_NO_DIGEST = "a docker_image, which has no digest in a registry"

NO_UPSTREAM = Upstream((), (), (), ())
"""What no other target gives anything to."""


@dataclass(frozen=True)
class UpstreamRequest:
    """Asks for what these targets give to the build of an image."""

    field_set: BuildKitImageFieldSet
    targets: UpstreamTargets


@rule(desc="Prepare images that an image refers to")
async def prepare_upstream(
    request: UpstreamRequest, subsystem: DockerBuildKitSubsystem
) -> Upstream:
    field_set, upstream = request.field_set, request.targets
    packages = await _package(field_set, upstream, subsystem)
    contexts = tuple(_contexts(upstream, packages))
    arguments = tuple(_arguments(field_set, upstream, packages))
    layouts = dict(packages.layouts())
    layout_trees = await concurrently(
        add_prefix(AddPrefix(layout, directory)) for directory, layout in layouts.items()
    )
    addresses = dict(upstream.contexts)
    named_files = (each.name for each in contexts if each.kind is ContextKind.FILES)
    return Upstream(
        (*contexts, *(context for _, _, context in arguments if context is not None)),
        (
            *((name, value) for name, value, _ in arguments),
            *await _output_paths(upstream.copied),
        ),
        tuple(zip(layouts, layout_trees)),
        tuple((name, packages.files[addresses[name]]) for name in named_files),
        tuple(packages.known_platforms()),
    )


def _layout_directory(address: Address) -> str:
    # buildx takes what follows the first `@` for the digest. No name has a `=`.
    return f"{LAYOUTS_DIRECTORY}/{address.path_safe_spec.replace('@', '=')}"


def _image_context(name: str, address: Address, packages: _Packages) -> NamedContext | None:
    """The image of a target as a context, if it is one or holds one."""
    image, archive = packages.images.get(address), packages.archives.get(address)
    if image is not None and image.references:
        return NamedContext(name, ContextKind.IMAGE, packages.nearest(image.references))
    if image is not None:
        digest = str(image.image_digest)
    elif archive is not None:
        digest = archive.image.digest
    else:
        return None
    directory = _layout_directory(address)
    return NamedContext(name, ContextKind.LAYOUT, digest, directory=directory)


def _unusable_archive(
    field_set: BuildKitImageFieldSet, address: Address, request: ImageArchiveRequest, problem: str
) -> InvalidImageFieldError:
    return field_set.error(
        field_set.build_contexts,
        "name image archives that hold one whole image",
        f"of {request.file.path} of {address}: {problem.rstrip('.')}",
        "Save it again, as with `docker save` or `skopeo copy … oci-archive:…`.",
    )


def _is_docker_image(target: Target) -> bool:
    return target.has_field(DockerImageSourceField)


def _why_no_image(target: Target) -> str:
    """What is known of a target without building it."""
    artifacts = artifacts_field(target)
    if artifacts is not None:
        return f"it leaves files (`{artifacts.alias}`) and no image"
    return f"it is {_NO_DIGEST}" if _is_docker_image(target) else ""


def _move(address: Address) -> str:
    return f"Make it a docker_buildkit_image, as `pants migrate-docker-images {address}` does."


def _not_an_image(
    field_set: BuildKitImageFieldSet, argument: str, address: Address, targets: tuple[Target, ...]
) -> InvalidImageFieldError:
    why = next(filter(None, map(_why_no_image, targets)), "")
    return field_set.error(
        field_set.source,
        f"give ARG {argument}, which names an image, the address of an image target",
        f"{address} is not one{why and ': '}{why}",
        _move(address)
        if any(map(_is_docker_image, targets))
        else "To copy from its files, name it in `build_contexts`.",
    )
