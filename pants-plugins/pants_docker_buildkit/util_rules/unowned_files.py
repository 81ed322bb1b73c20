"""Which files does a Dockerfile copy that no target puts into a context?

Those of a directory, and those that wildcards find.

Plain buildx copies them. Here they are not in the context, and nothing else would say so: what
targets give is inferred, and where there is nothing at all the build fails. Source code is such,
and what lists requirements: only packages of it enter a context.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pants.backend.docker.target_types import DockerImageSourceField
from pants.engine.fs import GlobMatchErrorBehavior, PathGlobs
from pants.engine.target import AllTargets, Target

from pants_docker_buildkit.compat import implicitly, path_globs_to_digest, path_globs_to_paths, rule
from pants_docker_buildkit.dockerfile.analysis import ContextPath
from pants_docker_buildkit.dockerfile.context_entries import implied_directories
from pants_docker_buildkit.dockerfile.ignorefile import ignore_file_candidates
from pants_docker_buildkit.fields.dockerfile import BuildKitImageSourceField
from pants_docker_buildkit.fields.input_files import ImageInputSourceField
from pants_docker_buildkit.util_rules.build_context import select_context_tree
from pants_docker_buildkit.util_rules.context_providers import content_paths, source_paths
from pants_docker_buildkit.util_rules.generated_paths import generated_paths
from pants_docker_buildkit.util_rules.glob_texts import escaped

_BUILD_FILE = "BUILD"
_UNLIKE = frozenset("[]{}!\\")

_FIELDS_OF_BUILDS = (BuildKitImageSourceField, DockerImageSourceField, ImageInputSourceField)
"""The sources of targets that say how images are built. Nobody misses them in one."""


@dataclass(frozen=True)
class OwnedPaths:
    """Paths from the build root of what targets can put into a context, or build images by."""

    paths: frozenset[str]


@dataclass(frozen=True)
class UnownedFilesRequest:
    """Asks for files of directories, and what patterns find, relative to `root`, that of a context.

    `dockerfile` decides with it which ignore file counts; it is `None` where it is no file.
    """

    directories: tuple[str, ...]
    patterns: tuple[str, ...]
    root: str
    dockerfile: str | None


@dataclass(frozen=True)
class UnownedFiles:
    """Paths from the build root, sorted, without BUILD files and what an ignore file excludes."""

    paths: tuple[str, ...]


def _owned_paths(target: Target) -> Iterator[str]:
    yield from generated_paths(target).files
    is_of_build = any(map(target.has_field, _FIELDS_OF_BUILDS))
    yield from source_paths(target) if is_of_build else content_paths(target)


@rule(desc="Find files that targets put into contexts")
async def find_owned_paths(all_targets: AllTargets) -> OwnedPaths:
    return OwnedPaths(frozenset(path for target in all_targets for path in _owned_paths(target)))


@rule(desc="Find files that no target puts into a context")
async def find_unowned_files(request: UnownedFilesRequest) -> UnownedFiles:
    root = escaped(request.root)
    globs = [posixpath.join(root, escaped(each), "**") for each in request.directories]
    for each in request.patterns:
        globs += posixpath.join(root, each), posixpath.join(root, each, "**")
    there = await path_globs_to_paths(PathGlobs(globs))
    files = [path for path in there.files if not _is_build_file(path)]
    if not files:
        return UnownedFiles(())
    owned = await find_owned_paths(**implicitly())
    unowned = [path for path in files if path not in owned.paths and path != request.dockerfile]
    if not unowned:
        return UnownedFiles(())
    digest = await path_globs_to_digest(
        PathGlobs(map(escaped, unowned), GlobMatchErrorBehavior.ignore), **implicitly()
    )
    ignore_files = ignore_file_candidates(request.dockerfile, request.root)
    selected = await select_context_tree(digest, request.root, ignore_files)
    names = {posixpath.join(request.root, each.path) for each in selected.entries}
    return UnownedFiles(tuple(path for path in unowned if path in names))


def _is_build_file(path: str) -> bool:
    name = posixpath.basename(path)
    return name == _BUILD_FILE or name.startswith(f"{_BUILD_FILE}.")


def copied_patterns(sources: Iterable[ContextPath]) -> tuple[str, ...]:
    """Of what a Dockerfile copies, what its wildcards find, as globs of Pants.

    Without those that find everything, and those that Pants reads in another way.
    """
    simple = (each for each in sources if not (each.keeps_parents or each.has_exclusions))
    found = {each.pattern or "" for each in simple}
    telling = (each for each in found if not set(each) <= {"*", "/"})
    return tuple(sorted(each for each in telling if _UNLIKE.isdisjoint(each)))


def copied_directories(paths: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """Of the paths that a Dockerfile copies, those that are directories of the context."""
    above = implied_directories(present)
    return tuple(sorted({path for path in paths if path in above}))
