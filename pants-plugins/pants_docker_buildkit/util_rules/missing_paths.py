"""Why is a path not in a build context, and what to do about it?"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass

from pants.base.build_environment import get_buildroot
from pants.engine.addresses import Address
from pants.engine.fs import FileEntry, GlobMatchErrorBehavior, PathGlobs
from pants.engine.target import AllTargets
from pants.util.frozendict import FrozenDict

from pants_docker_buildkit.compat import (
    get_digest_entries,
    implicitly,
    path_globs_to_digest,
    path_globs_to_paths,
    rule,
    uncacheable_rule,
)
from pants_docker_buildkit.oci.listing import list_few
from pants_docker_buildkit.util_rules.build_context import select_context_tree
from pants_docker_buildkit.util_rules.context_providers import Places, source_paths
from pants_docker_buildkit.util_rules.glob_texts import is_literal

_FEW = 3


@dataclass(frozen=True)
class SourceOwners:
    """The targets of the repository by the sources that they name, and their aliases."""

    places: Places
    aliases: FrozenDict[Address, str]


@rule(desc="Find owners of sources")
async def find_source_owners(all_targets: AllTargets) -> SourceOwners:
    return SourceOwners(
        Places.create((path, each.address) for each in all_targets for path in source_paths(each)),
        FrozenDict({each.address: each.alias for each in all_targets}),
    )


@dataclass(frozen=True)
class MissingPathRequest:
    """Asks why a path, from the build root, is not in the build context of a directory.

    Of `ignore_files` the first that exists decides there.
    """

    path: str
    root: str
    ignore_files: tuple[str, ...]


@dataclass(frozen=True)
class MissingPath:
    """What to do about it, in a sentence; empty where nothing is known."""

    advice: str


def _why_no_file(path: str, place: str) -> str:
    """Why Pants has no file of what is at this place on the disk, if anything is."""
    if not os.path.lexists(place):
        return ""
    if not os.path.exists(place):
        finding = "is a link that leads nowhere"
    elif os.path.isdir(place):
        has_files = any(files for _, _, files in os.walk(place))
        finding = "" if has_files else "has no file in it"
    else:
        finding = "" if os.path.isfile(place) else "is no plain file"
    if finding:
        return (
            f"{path} {finding}, and Pants hands on files only: make it in the Dockerfile, with"
            " `WORKDIR` or `RUN`."
        )
    return (
        f"{path} exists, but `.gitignore` or `[GLOBAL].pants_ignore` hides it from Pants. Add an"
        f" exception there, such as `[GLOBAL].pants_ignore.add = ['!/{path}']`."
    )


@uncacheable_rule(desc="Explain missing path of build context")
async def explain_missing_path(request: MissingPathRequest) -> MissingPath:
    # In each session, because Pants notices no change of what it is kept from seeing.
    path = request.path
    if not is_literal(path):
        return MissingPath("")
    globs = PathGlobs([path, f"{path}/**"], GlobMatchErrorBehavior.ignore)
    digest = await path_globs_to_digest(globs, **implicitly())
    if not any(isinstance(each, FileEntry) for each in await get_digest_entries(digest)):
        return MissingPath(_why_no_file(path, os.path.join(get_buildroot(), path)))
    known = await find_source_owners(**implicitly())
    owners = sorted(set(known.places.inside(path)))
    if not owners:
        return MissingPath(f"{path} exists, but no target owns it: add a `files` target.")
    selected = await select_context_tree(digest, request.root, request.ignore_files)
    kept = (posixpath.join(request.root, each.path) for each in selected.entries)
    if not any(each == path or each.startswith(f"{path}/") for each in kept):
        there = (await path_globs_to_paths(PathGlobs(request.ignore_files))).files
        ignore_file = next(each for each in request.ignore_files if each in there)
        return MissingPath(f"{path} exists, but {ignore_file} excludes it: add an exception there.")
    names = list_few([f"{each} (`{known.aliases[each]}`)" for each in owners], _FEW)
    return MissingPath(
        f"{path} belongs to {names}. Only `file`, `resource` and `shell_source` targets enter"
        " a context as they are, others as a package such as a `pex_binary`: add one of these to"
        " `dependencies`."
    )
