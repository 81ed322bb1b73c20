"""Which files does the build see, and what is their digest?"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pants.backend.shell.target_types import ShellSourceField
from pants.core.goals.package import EnvironmentAwarePackageRequest, PackageFieldSet
from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import (
    EMPTY_DIGEST,
    Digest,
    Directory,
    FileEntry,
    GlobExpansionConjunction,
    GlobMatchErrorBehavior,
    MergeDigests,
    PathGlobs,
    SymlinkEntry,
)
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    Field,
    FieldSetsPerTargetRequest,
    RegisteredTargetTypes,
    SingleSourceField,
    SourcesField,
    Target,
)
from pants.engine.unions import UnionMembership

from pants_docker_buildkit.compat import (
    concurrently,
    determine_source_files,
    environment_aware_package,
    find_valid_field_sets,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    path_globs_to_paths,
    resolve_dependency_targets,
    resolve_unparsed_address_inputs,
    rule,
)
from pants_docker_buildkit.dockerfile import context_entries
from pants_docker_buildkit.dockerfile.context_entries import implied_directories
from pants_docker_buildkit.dockerfile.context_filter import select_context
from pants_docker_buildkit.dockerfile.ignorefile import (
    IgnoreFileLineTooLongError,
    ignore_file_candidates,
    named_context_ignore_file,
    parse_ignore_file,
)
from pants_docker_buildkit.dockerfile.patterns import InvalidPatternError, parse_patterns
from pants_docker_buildkit.errors import InvalidImageFieldError, UnreadableIgnoreFileError
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet, has_build, is_image
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.dockerfile import read_image_dockerfile
from pants_docker_buildkit.util_rules.git_contexts import read_git_context
from pants_docker_buildkit.util_rules.glob_texts import is_literal, unescaped
from pants_docker_buildkit.util_rules.upstream_targets import find_upstream_targets

logger = logging.getLogger(__name__)

CONTENT_FIELDS = (FileSourceField, ResourceSourceField, ShellSourceField)
"""The sources that are in a context as they are."""

_MANY_FILES = 1000
"""So many files are worth a look at what else lies in their directories."""


@dataclass(frozen=True)
class ContextTree:
    """A tree as BuildKit gets it.

    `root` is the directory of the repository that its paths are relative to.
    """

    root: str
    entries: tuple[context_entries.ContextEntry, ...]
    outside: tuple[str, ...]
    """A few of the paths that are not below the root."""


@dataclass(frozen=True)
class ContextSources:
    """What a context is made of: files that `globs` match or `fields` have, and packages."""

    globs: tuple[str, ...]
    fields: tuple[SourcesField, ...]
    field_sets: tuple[PackageFieldSet, ...]


@dataclass(frozen=True)
class NamedFilesRequest:
    """Asks for the files of a target as a named build context.

    `targets` are what the target at `address` stands for: itself, or those that it generates.
    """

    address: Address
    targets: tuple[Target, ...]


def _built_types(targets: Iterable[Target]) -> set[type[Target]]:
    """Of very many targets, the types of those that BuildKit builds."""
    samples = {type(target): target for target in targets}
    return {kind for kind, sample in samples.items() if has_build(sample)}


def _split_plain_files(targets: Iterable[Target]) -> tuple[dict[str, Address], list[Target]]:
    """The targets that are one file of the repository, by its glob, and the other targets.

    A glob for tens of thousands of such files is one node of Pants' graph; asking for the sources
    of each target makes several of each.
    """
    owners, others = dict[str, Address](), []
    # Which fields there are depends on the type of a target alone, and takes long to find out.
    fields: dict[type[Target], type[SingleSourceField] | None] = {}
    for target in targets:
        kind = type(target)
        if kind not in fields:
            fields[kind] = next((each for each in CONTENT_FIELDS if target.has_field(each)), None)
        known = fields[kind]
        field = None if known is None else target[known]
        if field is not None and isinstance(field.value, str):
            owners[field.file_path] = target.address
        else:
            others.append(target)
    return owners, others


async def _globs_of(paths: Collection[str]) -> Iterable[str]:
    """Globs that match these files and nothing else.

    Of many files, one for each directory of which all is wanted: Pants goes from the build root to
    its files for each glob, again whenever one of them has changed.
    """
    if len(paths) < _MANY_FILES:
        return paths
    by_directory: dict[str, set[str]] = {}
    for path in paths:
        by_directory.setdefault(path.rpartition("/")[0], set()).add(path)
    plain = [each for each in by_directory if each and is_literal(each)]
    there = await path_globs_to_paths(PathGlobs(f"{each}/*" for each in plain))
    found: dict[str, set[str]] = {each: set() for each in plain}
    for path in there.files:
        found[path.rpartition("/")[0]].add(path)
    # A directory with none of these files would be in the context for its own sake.
    expected = implied_directories(paths)
    partial = {each.rpartition("/")[0] for each in there.dirs if each not in expected}
    globs = list[str]()
    for directory, files in by_directory.items():
        is_whole = found.get(directory) == files and directory not in partial
        globs += [f"{directory}/*"] if is_whole else files
    return globs


@dataclass(frozen=True)
class PlainTypes:
    """The types of targets that are no packages, by what fields they have.

    Only registered ones are among them: a generator may make targets of others.
    """

    all: frozenset[type[Target]]


@rule(desc="Find types of targets that are no packages")
async def find_plain_types(
    registered: RegisteredTargetTypes, union_membership: UnionMembership
) -> PlainTypes:
    kinds = union_membership.get(PackageFieldSet)
    found = (each.applicable_target_types(registered.types, union_membership) for each in kinds)
    return PlainTypes(frozenset(registered.types).difference(*found))


async def _find_packages(targets: Iterable[Target]) -> tuple[PackageFieldSet, ...]:
    """The packages among targets. To ask Pants for each image takes much for one of files alone."""
    plain = (await find_plain_types(**implicitly())).all
    possible = [target for target in targets if type(target) not in plain]
    if not possible:
        return ()
    request = FieldSetsPerTargetRequest(PackageFieldSet, possible)
    return tuple((await find_valid_field_sets(request, **implicitly())).field_sets)


async def _find_sources(targets: Iterable[Target]) -> ContextSources:
    """What targets put into a context: files as they are, packages when built."""
    packages = await _find_packages(targets)
    owners, others = _split_plain_files(targets)
    globs = await _globs_of(owners)
    fields = tuple(target.get(SourcesField) for target in others)
    return ContextSources(tuple(globs), fields, packages)


async def _find_plain_files(
    sources: ContextSources, targets: Iterable[Target], others: Iterable[str]
) -> Digest:
    """The files that globs match, each of which must match some."""
    try:
        return await path_globs_to_digest(
            PathGlobs(
                sorted({*others, *sources.globs}),
                GlobMatchErrorBehavior.error,
                GlobExpansionConjunction.all_match,
                description_of_origin="the dependencies of image targets",
            ),
            **implicitly(),
        )
    except Exception as e:
        there = set((await path_globs_to_paths(PathGlobs(sources.globs))).files)
        owners, _ = _split_plain_files(targets)
        for glob in sorted(owners.keys() & set(sources.globs)):
            path = unescaped(glob)
            if path not in there:
                raise InvalidImageFieldError(
                    SingleSourceField.alias,
                    owners[glob],
                    "name a file that exists",
                    f"there is no {path}",
                    "Create it, or add an exception if `.gitignore` or `[GLOBAL].pants_ignore`"
                    " hides it from Pants.",
                ) from e
        raise


async def _collect(
    sources: ContextSources, targets: Iterable[Target], others: Iterable[str] = ()
) -> Digest:
    """The files of these sources of `targets`, with paths from the build root, and `others`."""
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(each))
        for each in sources.field_sets
    )
    plain = await _find_plain_files(sources, targets, others)
    digests = [plain, *(package.digest for package in packages)]
    if sources.fields:
        sourced = await determine_source_files(
            SourceFilesRequest(
                sources_fields=sources.fields,
                for_sources_types=CONTENT_FIELDS,
                enable_codegen=True,
            ),
            **implicitly(),
        )
        digests.append(sourced.snapshot.digest)
    return plain if len(digests) == 1 else await merge_digests(MergeDigests(digests))


async def select_context_tree(
    digest: Digest, root: str, ignore_files: tuple[str, ...]
) -> ContextTree:
    """The part of a tree below `root` that an ignore file lets through.

    `ignore_files` are candidates, of which the first that exists decides.
    """
    entries, ignore_digest = await concurrently(
        get_digest_entries(digest),
        path_globs_to_digest(
            PathGlobs(ignore_files, GlobMatchErrorBehavior.ignore), **implicitly()
        ),
    )
    ignore_contents = {}
    if ignore_digest != EMPTY_DIGEST:
        ignore_contents = {
            file.path: file.content for file in await get_digest_contents(ignore_digest)
        }
    prefix = f"{root}/" if root else ""
    found, outside = list[context_entries.ContextEntry](), list[str]()
    for entry in entries:
        path = entry.path
        if not path.startswith(prefix):
            outside.append(path)
        elif path:
            found.append(_context_entry(path[len(prefix) :], entry))
    deciding = next((each for each in ignore_files if each in ignore_contents), None)
    selected = _select(found, deciding, ignore_contents)
    return ContextTree(root, selected, tuple(outside[:3]))


def _select(
    entries: Iterable[context_entries.ContextEntry],
    ignore_file: str | None,
    contents: Mapping[str, bytes],
) -> tuple[context_entries.ContextEntry, ...]:
    """What the ignore file lets through, if there is one."""
    if ignore_file is None:
        return select_context(entries, ())
    try:
        patterns = parse_patterns(parse_ignore_file(contents[ignore_file]))
        return select_context(entries, patterns)
    except InvalidPatternError as e:
        pattern = e.text if len(e.text) <= 80 else f"{e.text[:77]}..."
        finding = f"the pattern {pattern!r} in {ignore_file} must {e.requirement}"
        raise UnreadableIgnoreFileError(finding) from e
    except IgnoreFileLineTooLongError as e:
        finding = f"line {e.line} of {ignore_file} must {e.requirement}"
        raise UnreadableIgnoreFileError(finding) from e


def _context_entry(
    path: str, entry: FileEntry | SymlinkEntry | Directory
) -> context_entries.ContextEntry:
    if isinstance(entry, FileEntry):
        file_digest = entry.file_digest
        return context_entries.FileEntry(
            path, file_digest.fingerprint, file_digest.serialized_bytes_length, entry.is_executable
        )
    if isinstance(entry, SymlinkEntry):
        return context_entries.SymlinkEntry(path, entry.target)
    return context_entries.DirectoryEntry(path)


async def _expand_groups(targets: list[Target]) -> list[Target]:
    """What generic `target`s stand for, at any depth."""
    found: list[Target] = []
    groups = [target for target in targets if _is_group(target)]
    seen = {target.address for target in targets} if groups else set()
    while groups:
        dependencies = await concurrently(
            resolve_dependency_targets(**implicitly(DependenciesRequest(group[Dependencies])))
            for group in groups
        )
        fresh = {t.address: t for each in dependencies for t in each if t.address not in seen}
        seen.update(fresh)
        found += [target for target in fresh.values() if not is_image(target)]
        groups = [target for target in fresh.values() if _is_group(target)]
    return found


def _is_group(target: Target) -> bool:
    return target.alias == "target" and target.has_field(Dependencies)


async def _find_image_sources(
    field_set: BuildKitImageFieldSet, targets: Iterable[Target]
) -> ContextSources:
    """What the context of an image that depends on `targets` is made of."""
    upstream = await find_upstream_targets(field_set, **implicitly())
    elsewhere = {*upstream.addresses, *dict(upstream.others).values()}
    if elsewhere:
        elsewhere -= set(
            await resolve_unparsed_address_inputs(explicit_dependencies(field_set), **implicitly())
        )
    built = _built_types(targets)
    wanted = [
        target
        for target in targets
        if not (type(target) in built and is_image(target))
        and (not elsewhere or target.address not in elsewhere)
    ]
    wanted += await _expand_groups(wanted)
    return await _find_sources(wanted)


@rule(desc="Find sources of large build context")
async def find_context_sources(field_set: BuildKitImageFieldSet) -> ContextSources:
    targets = await resolve_dependency_targets(
        **implicitly(DependenciesRequest(field_set.dependencies))
    )
    return await _find_image_sources(field_set, targets)


@rule(desc="Assemble build context")
async def assemble_build_context(
    field_set: BuildKitImageFieldSet, subsystem: DockerBuildKitSubsystem
) -> ContextTree:
    if field_set.context.value:
        # BuildKit applies no ignore file to a repository.
        git = await read_git_context(field_set, **implicitly())
        return await select_context_tree(git.tree, "", ())
    root = field_set.context_directory(subsystem.default_context_root)
    if root == ".." or root.startswith("../"):
        raise field_set.error(
            field_set.context_root, "name a directory below the build root", f"it leads to {root!r}"
        )
    dockerfile = await read_image_dockerfile(field_set, **implicitly())
    targets = await resolve_dependency_targets(
        **implicitly(DependenciesRequest(field_set.dependencies))
    )
    if len(targets) < _MANY_FILES:
        sources = await _find_image_sources(field_set, targets)
    else:
        # Files that change do not change it: of many, Pants had better keep it.
        sources = await find_context_sources(field_set, **implicitly())
    tree = await _collect(sources, targets, (dockerfile.path,) if dockerfile.path else ())
    ignore_files = ignore_file_candidates(dockerfile.path, root)
    try:
        context = await select_context_tree(tree, root, ignore_files)
    except UnreadableIgnoreFileError as e:
        raise unreadable_ignore_file(field_set, field_set.context_root, e) from e
    outside = tuple(path for path in context.outside if path != dockerfile.path)
    return replace(context, outside=outside)


def unreadable_ignore_file(
    field_set: BuildKitImageFieldSet, field: Field, error: UnreadableIgnoreFileError
) -> InvalidImageFieldError:
    """What to raise where a context that a field names has such an ignore file."""
    return field_set.error(field, "have an ignore file that BuildKit can read", error.finding)


def explicit_dependencies(field_set: BuildKitImageFieldSet) -> UnparsedAddressInputs:
    """What `dependencies` names, without what it excludes."""
    field = field_set.dependencies
    return UnparsedAddressInputs(
        (each for each in field.value or () if not each.startswith("!")),
        owning_address=field_set.address,
        description_of_origin=f"the `{field.alias}` field of {field_set.address}",
    )


@rule(desc="Assemble named build context")
async def assemble_named_context(request: NamedFilesRequest) -> ContextTree:
    files = await _collect(await _find_sources(request.targets), request.targets)
    # Files lie where their BUILD file is; what is packaged lies where `output_path` says.
    has_files = any(t.has_field(field) for t in request.targets for field in CONTENT_FIELDS)
    root = request.address.spec_path if has_files else ""
    tree = await select_context_tree(files, root, (named_context_ignore_file(root),))
    if not tree.entries:
        logger.warning(
            f"The named context {request.address} is empty: no `file`, `resource` or `shell_source`"
            " target and no package is in it, or an ignore file excludes all. What other targets"
            " depend on is not part of it."
        )
    return tree
