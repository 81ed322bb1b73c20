"""What do the targets that an image refers to give to its build?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import (
    EnvironmentAwarePackageRequest,
    PackageFieldSet,
)
from pants.engine.addresses import Address, Addresses
from pants.engine.fs import AddPrefix, Digest
from pants.engine.rules import Rule, collect_rules
from pants.engine.target import FieldSetsPerTargetRequest

from pants_docker_buildkit.built_image import BuiltBuildKitImage, image_in
from pants_docker_buildkit.compat import (
    add_prefix,
    concurrently,
    environment_aware_package,
    find_valid_field_sets,
    implicitly,
    resolve_address_targets,
    rule,
)
from pants_docker_buildkit.errors import InvalidImageFieldError, UnreadableIgnoreFileError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.solver.definition import ContextKind, NamedContext
from pants_docker_buildkit.solver.input_tree import (
    LAYOUTS_DIRECTORY,
    NAMED_CONTEXTS_DIRECTORY,
)
from pants_docker_buildkit.util_rules.build_context import (
    ContextTree,
    NamedFilesRequest,
    assemble_named_context,
    is_image,
    unreadable_ignore_file,
)
from pants_docker_buildkit.util_rules.upstream_targets import (
    UpstreamTargetsRequest,
    find_upstream_targets,
)


@dataclass(frozen=True)
class UpstreamRequest:
    """Asks for what the targets that an image refers to give to its build."""

    field_set: BuildKitImageFieldSet


@dataclass(frozen=True)
class Upstream:
    """Named contexts and build arguments that stand for other targets.

    `trees` are the files and layouts of the named contexts, below the directories that these name;
    `named_files` are those that are files, by the context's name.
    """

    contexts: tuple[NamedContext, ...]
    build_args: tuple[tuple[str, str], ...]
    trees: tuple[Digest, ...]
    named_files: tuple[tuple[str, ContextTree], ...]


@rule(desc="Prepare images that an image refers to")
async def prepare_upstream(request: UpstreamRequest) -> Upstream:
    field_set = request.field_set
    upstream = await find_upstream_targets(UpstreamTargetsRequest(field_set), **implicitly())
    if not upstream.addresses:
        return Upstream((), (), (), ())
    resolved = await concurrently(
        resolve_address_targets(**implicitly(Addresses([address])))
        for address in upstream.addresses
    )
    targets = dict(zip(upstream.addresses, resolved))
    images = [each[0] for each in resolved if len(each) == 1 and is_image(each[0])]
    field_sets = await find_valid_field_sets(
        FieldSetsPerTargetRequest(PackageFieldSet, images), **implicitly()
    )
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(each))
        for each in field_sets.field_sets
    )
    built = {image.address: image_in(package) for image, package in zip(images, packages)}
    named = [(name, address) for name, address in upstream.contexts if address not in built]
    try:
        file_trees = await concurrently(
            assemble_named_context(
                NamedFilesRequest(address, tuple(targets[address]), _context_directory(name)),
                **implicitly(),
            )
            for name, address in named
        )
    except UnreadableIgnoreFileError as e:
        raise unreadable_ignore_file(field_set, field_set.build_contexts.alias, e) from e
    layouts = {address: image for address, image in built.items() if not image.references}
    layout_trees = await concurrently(
        add_prefix(AddPrefix(image.layout, _layout_directory(address)))
        for address, image in layouts.items()
    )
    contexts = [
        NamedContext(name, ContextKind.FILES, directory=_context_directory(name))
        for name, _ in named
    ]
    contexts += [
        _image_context(name, address, built[address], field_set)
        for name, address in upstream.contexts
        if address in built
    ]
    build_args = []
    for name, address in upstream.arguments:
        if address not in built:
            raise _not_an_image(field_set, name, address)
        if address in layouts:
            # A layout has no reference, so the `ARG` gets the name of a build context that is it.
            context_name = f"pants-{name.lower().replace('_', '-')}"
            contexts.append(_image_context(context_name, address, built[address], field_set))
            build_args.append((name, context_name))
        else:
            build_args.append((name, _nearest(built[address].references, field_set)))
    return Upstream(
        tuple(contexts),
        tuple(build_args),
        (*(tree.digest for tree in file_trees), *layout_trees),
        tuple((name, tree) for (name, _), tree in zip(named, file_trees)),
    )


def _context_directory(name: str) -> str:
    return f"{NAMED_CONTEXTS_DIRECTORY}/{name}"


def _layout_directory(address: Address) -> str:
    return f"{LAYOUTS_DIRECTORY}/{address.path_safe_spec}"


def _image_context(
    name: str, address: Address, image: BuiltBuildKitImage, field_set: BuildKitImageFieldSet
) -> NamedContext:
    if image.references:
        return NamedContext(name, ContextKind.IMAGE, _nearest(image.references, field_set))
    return NamedContext(
        name, ContextKind.LAYOUT, str(image.image_digest), directory=_layout_directory(address)
    )


def _nearest(references: tuple[str, ...], field_set: BuildKitImageFieldSet) -> str:
    """The reference in a registry that the image itself names, or else the first."""
    own = {name.partition("/")[0] for name in field_set.registries.value or ()}
    return next((each for each in references if each.partition("/")[0] in own), references[0])


def _not_an_image(
    field_set: BuildKitImageFieldSet, argument: str, address: Address
) -> InvalidImageFieldError:
    return InvalidImageFieldError(
        field_set.source.alias,
        field_set.address,
        f"give ARG {argument}, which names an image, the address of an image target",
        f"{address} is not one",
        "To copy from its files, name it in `build_contexts`.",
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
