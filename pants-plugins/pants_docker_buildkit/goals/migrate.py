"""`pants migrate-docker-images`: make the `docker_image` targets of BUILD files ours."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pants.base.specs import Specs
from pants.engine.console import Console
from pants.engine.fs import CreateDigest, FileContent, PathGlobs, Workspace
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.internals.build_files import BuildFileOptions
from pants.engine.rules import Rule, collect_rules, goal_rule
from pants.engine.target import AllTargets, Dependencies, DependenciesRequest
from pants.option.option_types import BoolOption
from pants.util.strutil import softwrap

from pants_docker_buildkit.compat import (
    concurrently,
    create_digest,
    get_digest_contents,
    implicitly,
    path_globs_to_digest,
    resolve_dependency_targets,
    resolve_specs_paths,
)
from pants_docker_buildkit.migration.build_file import OLD, MovedBuildFile, Remark, move_build_file
from pants_docker_buildkit.migration.options import move_options, name_as_before, names_images

_CONFIGURATIONS = "pants*.toml"
_CONFIGURATION = "pants.toml"
_IGNORE_FILE = ".dockerignore"


class MigrateDockerImagesSubsystem(GoalSubsystem):
    """The options of the goal."""

    name = "migrate-docker-images"
    help = softwrap(
        """
        Make `docker_image` targets `docker_buildkit_image` targets, in BUILD files and macros.

        Takes the BUILD files to change, as `::` for all. Both backends have to be enabled.
        Formatting and comments stay. A target that has something without an equivalent stays a
        `docker_image`, and a line says why. The options to write in place of `[docker]` are
        printed.
        """
    )
    check = BoolOption(
        default=False,
        help="Write nothing, say what would change, and exit with 1 if anything would.",
    )


class MigrateDockerImages(Goal):
    """What the goal did."""

    subsystem_cls = MigrateDockerImagesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def _lines(title: str, path: str, remarks: Iterable[Remark]) -> list[str]:
    listed = [f"  - line {each.line}: {each.text}" for each in remarks]
    return [f"{title} {path}:", *listed] if listed else []


def _move(files: Iterable[FileContent], bases: frozenset[str]) -> dict[str, MovedBuildFile]:
    moved = {}
    for file in files:
        text = file.content.decode()
        if OLD in text:
            moved[file.path] = move_build_file(file.path, text, bases)
    return moved


def _options(configurations: Iterable[FileContent]) -> list[str]:
    moved = {each.path: move_options(each.content.decode()) for each in configurations}
    moved = {path: options for path, options in moved.items() if options}
    if not any(names_images(options) for options in moved.values()):
        moved[_CONFIGURATION] = name_as_before(moved.get(_CONFIGURATION, ""))
    return [
        line
        for path, options in moved.items()
        for line in (f"Write into {path}, in place of [docker]:", "", options)
    ]


@goal_rule
async def migrate_docker_images(
    console: Console,
    workspace: Workspace,
    specs: Specs,
    subsystem: MigrateDockerImagesSubsystem,
    build_files: BuildFileOptions,
    all_targets: AllTargets,
) -> MigrateDockerImages:
    images = [target for target in all_targets if target.alias == OLD]
    used = await concurrently(
        resolve_dependency_targets(**implicitly(DependenciesRequest(image[Dependencies])))
        for image in images
    )
    bases = frozenset(
        target.address.spec for targets in used for target in targets if target.alias == OLD
    )
    specified = await resolve_specs_paths(specs)
    names = [os.path.join("**", each) for each in build_files.patterns]
    ignored = [f"!{each}" for each in build_files.ignores]
    digests = await concurrently(
        path_globs_to_digest(PathGlobs((*names, *ignored)), **implicitly()),
        path_globs_to_digest(PathGlobs(build_files.prelude_globs), **implicitly()),
        path_globs_to_digest(PathGlobs((_CONFIGURATIONS, _IGNORE_FILE)), **implicitly()),
    )
    all_files, macros, others = await concurrently(get_digest_contents(each) for each in digests)
    chosen = [each for each in all_files if each.path in specified.files]
    moved = _move((*chosen, *(macros if chosen else ())), bases)
    changed = {path: each for path, each in moved.items() if each.changes}
    if not subsystem.check:
        contents = (FileContent(path, each.text.encode()) for path, each in changed.items())
        workspace.write_digest(await create_digest(CreateDigest(contents)))
    for line in _report(moved, list(others), is_check=subsystem.check):
        console.print_stdout(line)
    return MigrateDockerImages(exit_code=1 if subsystem.check and changed else 0)


def _report(
    moved: dict[str, MovedBuildFile], others: list[FileContent], *, is_check: bool
) -> Iterable[str]:
    verb = "Would change" if is_check else "Changed"
    for path, each in sorted(moved.items()):
        yield from _lines(verb, path, each.changes)
    for path, each in sorted(moved.items()):
        yield from _lines("Look at", path, each.flags)
    if not any(each.changes for each in moved.values()):
        yield f"No {OLD} target is there to change."
        return
    if any(each.path == _IGNORE_FILE for each in others):
        yield f"The {_IGNORE_FILE} of the build root now applies without being a dependency."
    yield from _options(each for each in others if each.path != _IGNORE_FILE)


def rules() -> Iterable[Rule]:
    return collect_rules()
