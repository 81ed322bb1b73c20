"""`pants migrate-docker-images`: make the `docker_image` targets of BUILD files ours."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pants.base.specs import Specs
from pants.engine.console import Console
from pants.engine.fs import CreateDigest, FileContent, PathGlobs, Workspace
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.internals.build_files import BuildFileOptions
from pants.engine.rules import goal_rule
from pants.engine.target import (
    AllTargets,
    Dependencies,
    DependenciesRequest,
    OptionalSingleSourceField,
    Target,
)
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
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME
from pants_docker_buildkit.migration.build_file import (
    NEW,
    OLD,
    ImageUses,
    MovedBuildFile,
    Remark,
    has_old_defaults,
    move_build_file,
    why_defaults_stay,
)
from pants_docker_buildkit.migration.local_names import (
    LocalImage,
    images_in_arguments,
    images_named_by_tag,
)
from pants_docker_buildkit.migration.options import move_options, name_as_before, names_images
from pants_docker_buildkit.oci.reference import DEFAULT_TAG
from pants_docker_buildkit.util_rules.written_addresses import (
    WrittenAddressesRequest,
    resolve_written_addresses,
)

_CONFIGURATIONS = "pants*.toml"
_DEFAULTS = "__defaults__"
_CONFIGURATION = "pants.toml"


class MigrateDockerImagesSubsystem(GoalSubsystem):
    """The options of the goal."""

    name = "migrate-docker-images"
    help = softwrap(
        """
        Convert `docker_image` targets to `docker_buildkit_image` targets, in BUILD files and
        macros.

        Converts the given BUILD files, such as `::` for all. Both backends must be enabled.
        Formatting and comments are kept. A target that uses something without an equivalent stays a
        `docker_image`, and a line says why. The options that replace those of `[docker]` are
        printed.
        """
    )
    check = BoolOption(
        default=False,
        help="Write nothing, print what would change, and exit with 1 if anything would.",
    )


class MigrateDockerImages(Goal):
    """What the goal did."""

    subsystem_cls = MigrateDockerImagesSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def _lines(title: str, path: str, remarks: Iterable[Remark]) -> list[str]:
    listed = [f"  - line {each.line}: {each.text}" for each in remarks]
    return [f"{title} {path}:", *listed] if listed else []


@dataclass(frozen=True)
class Repository:
    """The BUILD files and macros to change, and the BUILD files that are left alone."""

    chosen: tuple[FileContent, ...]
    macros: tuple[FileContent, ...]
    others: tuple[FileContent, ...]
    uses: ImageUses = field(default_factory=ImageUses)

    def move(self) -> dict[str, MovedBuildFile]:
        """What becomes of each file that has the old targets.

        No image that stays loses an image that it finds in the local engine: that stays, too. And
        no image moves that is built on one that stays, for ours are built on digests.
        """
        kept: dict[str, str] = {}
        while True:
            moved = self._move(replace(self.uses, kept=kept))
            found = dict(self._kept_by_others(moved))
            if found.keys() <= kept.keys():
                return moved
            kept = {**found, **kept}

    def _kept_by_others(self, moved: Mapping[str, MovedBuildFile]) -> Iterator[tuple[str, str]]:
        """Images that would move, and why they have to stay."""
        staying = {address for each in moved.values() for address in each.stayed}
        left = {posixpath.dirname(each.path) for each in self.others}
        uses = self.uses
        for user in sorted({*uses.names, *uses.arguments}):
            found = set(uses.names.get(user, {}).values())
            bases = found | set(uses.arguments.get(user, ()))
            if user in staying or user.rpartition(":")[0] in left:
                reason = f"{user} stays, and finds it by its tag in the local engine"
                yield from ((each, reason) for each in found - staying)
                continue
            for base in sorted(bases):
                if base in staying or base.rpartition(":")[0] in left:
                    yield user, f"It is built on {base}, which stays"

    def _move(self, uses: ImageUses) -> dict[str, MovedBuildFile]:
        """The same, with some images that stay.

        Defaults stay for the images that stay, and images stay whose defaults stay: no image loses
        what it has from above it.
        """
        reasons = dict(self._stuck_defaults())
        blocked = {
            file.path: next((reasons[each] for each in _above(file.path) if each in reasons), "")
            for file in self.chosen
        }
        moved = {}
        for file in self.chosen:
            moved.update(_moved(file, uses, blocked=blocked[file.path]))
        stay = self.where_images_stay(moved)
        for file in self.chosen:
            is_above = any(posixpath.dirname(file.path) in _above(path) for path in stay)
            if is_above and not blocked[file.path]:
                moved.update(_moved(file, uses, keeps_defaults=True))
        for file in self.macros:
            moved.update(_moved(file, uses, is_macro=True))
        return moved

    def where_images_stay(self, moved: Mapping[str, MovedBuildFile]) -> frozenset[str]:
        """The files that still have images of the old kind once these are moved."""
        stay = {path for path, each in moved.items() if each.has_stayed}
        return frozenset((*stay, *(each.path for each in self.others if f"{OLD}(" in _text(each))))

    def _stuck_defaults(self) -> Iterator[tuple[str, str]]:
        """Why images below a directory stay, where they have defaults that do."""
        for file in self.chosen:
            reason = why_defaults_stay(file.path, _text(file)) if OLD in _text(file) else None
            if reason is not None:
                yield posixpath.dirname(file.path), reason
        for file in self.others:
            if OLD in _text(file) and has_old_defaults(_text(file)):
                yield (
                    posixpath.dirname(file.path),
                    f"its defaults are in {file.path}: name that file, too",
                )


def _text(file: FileContent) -> str:
    return file.content.decode()


def _above(path: str) -> tuple[str, ...]:
    """The directory of a file and those it is in, up to the build root."""
    directories = [posixpath.dirname(path)]
    while directories[-1]:
        directories.append(posixpath.dirname(directories[-1]))
    return tuple(directories)


def _moved(
    file: FileContent,
    uses: ImageUses,
    *,
    is_macro: bool = False,
    keeps_defaults: bool = False,
    blocked: str = "",
) -> dict[str, MovedBuildFile]:
    text = _text(file)
    if OLD not in text and _DEFAULTS not in text:
        return {}
    moved = move_build_file(
        file.path,
        text,
        uses,
        is_macro=is_macro,
        keeps_defaults=keeps_defaults,
        blocked=blocked,
    )
    return {file.path: moved}


def _is_skipped(target: Target) -> bool:
    return any(
        field.alias == "skip_push" and bool(field.value) for field in target.field_values.values()
    )


def _options(configurations: Iterable[FileContent], *, images_stay: bool) -> list[str]:
    moved = {each.path: move_options(each.content.decode()) for each in configurations}
    moved = {path: options for path, options in moved.items() if options}
    if not any(names_images(options) for options in moved.values()):
        moved[_CONFIGURATION] = name_as_before(moved.get(_CONFIGURATION, ""))
    place = f"beside [docker], for each {OLD} that stays" if images_stay else "in place of [docker]"
    return [
        line
        for path, options in moved.items()
        for line in (f"Write into {path}, {place}:", "", options)
    ]


def _value(target: Target, alias: str) -> Any:
    """The value of a field that some kind of image has."""
    values = (each.value for each in target.field_values.values() if each.alias == alias)
    return next(values, None)


def _without_parameters(target: Target) -> str:
    return f"{target.address.spec_path}:{target.address.target_name}"


def _local_image(target: Target) -> LocalImage:
    tags = tuple(_value(target, "image_tags") or (DEFAULT_TAG,))
    return LocalImage(_without_parameters(target), _value(target, "repository"), tags)


async def _read_dockerfiles(images: Iterable[Target]) -> dict[Target, bytes]:
    """The Dockerfile of each target, if there is one."""
    paths = {
        each: each[OptionalSingleSourceField].file_path
        for each in images
        if each.has_field(OptionalSingleSourceField)
    }
    digest = await path_globs_to_digest(PathGlobs(filter(None, paths.values())), **implicitly())
    texts = {each.path: each.content for each in await get_digest_contents(digest)}
    written = {each: _value(each, "instructions") for each in images}
    return {
        each: "\n".join(lines).encode() if lines else texts.get(paths.get(each) or "", b"")
        for each, lines in written.items()
    }


async def _arguments(user: Target, text: bytes, used: Iterable[Target]) -> frozenset[str]:
    """The images among `used` that the `ARG`s of a Dockerfile name by their addresses."""
    values = images_in_arguments(
        text, _value(user, "target_stage"), _value(user, "extra_build_args") or ()
    )
    if not values:
        return frozenset()
    written = await resolve_written_addresses(
        WrittenAddressesRequest(user.address, values), **implicitly()
    )
    meant = {written.existing(each) for each in values}
    return frozenset(_without_parameters(each) for each in used if each.address in meant)


async def _find_uses(targets: Iterable[Target]) -> ImageUses:
    images = [target for target in targets if target.alias in (OLD, NEW)]
    found = await concurrently(
        resolve_dependency_targets(**implicitly(DependenciesRequest(image[Dependencies])))
        for image in images
    )
    used = {
        image: [each for each in dependencies if each.alias == OLD]
        for image, dependencies in zip(images, found)
    }
    bases = {
        _without_parameters(each) for old in used.values() for each in old if _is_skipped(each)
    }
    users = [image for image, old in used.items() if old and image.alias == OLD]
    names: dict[str, dict[str, str]] = {}
    arguments: dict[str, frozenset[str]] = {}
    for user, text in (await _read_dockerfiles(users)).items():
        address, stage = _without_parameters(user), _value(user, "target_stage")
        called = images_named_by_tag(text, stage, map(_local_image, used[user]))
        names.setdefault(address, {}).update(called)
        given = await _arguments(user, text, used[user])
        arguments[address] = given | arguments.get(address, frozenset())
    return ImageUses(frozenset(bases), names, arguments)


@goal_rule
async def migrate_docker_images(
    console: Console,
    workspace: Workspace,
    specs: Specs,
    subsystem: MigrateDockerImagesSubsystem,
    build_files: BuildFileOptions,
    all_targets: AllTargets,
) -> MigrateDockerImages:
    uses = await _find_uses(all_targets)
    specified = await resolve_specs_paths(specs)
    names = [os.path.join("**", each) for each in build_files.patterns]
    ignored = [f"!{each}" for each in build_files.ignores]
    digests = await concurrently(
        path_globs_to_digest(PathGlobs((*names, *ignored)), **implicitly()),
        path_globs_to_digest(PathGlobs(build_files.prelude_globs), **implicitly()),
        path_globs_to_digest(PathGlobs((_CONFIGURATIONS, IGNORE_FILE_NAME)), **implicitly()),
    )
    all_files, macros, others = await concurrently(get_digest_contents(each) for each in digests)
    chosen = tuple(each for each in all_files if each.path in specified.files)
    repository = Repository(
        chosen,
        tuple(macros if chosen else ()),
        tuple(each for each in all_files if each.path not in specified.files),
        uses,
    )
    moved = repository.move()
    changed = {path: each for path, each in moved.items() if each.changes}
    if not subsystem.check:
        contents = (FileContent(path, each.text.encode()) for path, each in changed.items())
        workspace.write_digest(await create_digest(CreateDigest(contents)))
    images_stay = bool(repository.where_images_stay(moved))
    for line in report_lines(
        moved, list(others), is_check=subsystem.check, images_stay=images_stay
    ):
        console.print_stdout(line)
    return MigrateDockerImages(exit_code=1 if subsystem.check and changed else 0)


def report_lines(
    moved: Mapping[str, MovedBuildFile],
    others: list[FileContent],
    *,
    is_check: bool,
    images_stay: bool,
) -> Iterable[str]:
    """What is said of files that were moved. `others` are the configurations and an ignore file."""
    verb = "Would change" if is_check else "Changed"
    for path, each in sorted(moved.items()):
        yield from _lines(verb, path, each.changes)
    for path, each in sorted(moved.items()):
        yield from _lines("Look at", path, each.flags)
    if not any(each.changes for each in moved.values()):
        yield f"No {OLD} target is there to change."
        return
    if any(each.path == IGNORE_FILE_NAME for each in others):
        yield f"The {IGNORE_FILE_NAME} of the build root now applies without being a dependency."
    configurations = (each for each in others if each.path != IGNORE_FILE_NAME)
    yield from _options(configurations, images_stay=images_stay)
