"""Which paths does a target generate, as far as its fields say it?

Pants knows the files of a code generator only once it has run. What `shell_command`, `adhoc_tool`,
`relocated_files`, `file` with an `http_source` and a stage of a Dockerfile give can be told before.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pants.core.target_types import (
    FileSourceField,
    RelocatedFilesDestField,
    RelocatedFilesSrcField,
    ResourceSourceField,
    http_source,
)
from pants.engine.target import SourcesField, Target

from pants_docker_buildkit.fields.naming import (
    BuildKitImageOutputField,
    BuildKitImageOutputPathField,
    ImageOutput,
)
from pants_docker_buildkit.output_file import artifacts_directory
from pants_docker_buildkit.solver.root_filesystem import IMAGE_METADATA, ROOT_FILESYSTEM

_PATTERN = re.compile(r"[*?\[]")
_FILES, _DIRECTORIES = "output_files", "output_directories"
_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class GeneratedPaths:
    """Files that a target generates, and directories below which it may generate any."""

    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


def generated_paths(target: Target) -> GeneratedPaths:
    """The paths from the build root of what a target generates when it is depended on."""
    downloaded = tuple(_downloaded(target))
    values: dict[str, Any] = {field.alias: field.value for field in target.field_values.values()}
    if not ({_FILES, _DIRECTORIES} & values.keys() and target.has_field(SourcesField)):
        return GeneratedPaths(downloaded)
    if target.has_field(BuildKitImageOutputPathField):
        return _left_by_stage(target, values)
    streams = [str(values[name]) for name in _STREAMS if values.get(name)]
    return GeneratedPaths(
        tuple(_placed((*(values.get(_FILES) or ()), *streams), values, target)),
        tuple(_placed(values.get(_DIRECTORIES) or (), values, target)),
    )


def _left_by_stage(target: Target, values: dict[str, Any]) -> GeneratedPaths:
    """Where an image target leaves files. Of a pattern, below the directories that it spells."""
    is_tar = values.get(BuildKitImageOutputField.alias) == ImageOutput.TAR.value
    root = artifacts_directory(target[BuildKitImageOutputPathField], has_own=is_tar)
    if is_tar:
        names = (ROOT_FILESYSTEM, IMAGE_METADATA)
        return GeneratedPaths(tuple(posixpath.normpath(f"{root}/{each}") for each in names))
    paths = values.get(_FILES) or ()
    files = [path for path in paths if _PATTERN.search(path) is None]
    directories = [
        *(posixpath.dirname(_PATTERN.split(path)[0]) for path in paths if path not in files),
        *(values.get(_DIRECTORIES) or ()),
    ]
    return GeneratedPaths(
        tuple(posixpath.normpath(posixpath.join(root, each)) for each in files),
        # What may be anywhere beside the BUILD file is no reason to build it for each image there.
        tuple(
            posixpath.normpath(posixpath.join(root, each))
            for each in directories
            if posixpath.normpath(each or ".") != "."
        ),
    )


def _downloaded(target: Target) -> Iterator[str]:
    for field in (FileSourceField, ResourceSourceField):
        source = target[field].value if target.has_field(field) else None
        if isinstance(source, http_source):
            yield posixpath.join(target.address.spec_path, source.filename)


def _placed(outputs: Iterable[str], values: dict[str, Any], target: Target) -> Iterator[str]:
    """Where outputs lie that are named relative to a working directory."""
    place = _directory(values.get("workdir") or "", target.address.spec_path)
    root = posixpath.normpath(_directory(values.get("root_output_directory") or "", place) or ".")
    for output in outputs:
        path = output.lstrip("/") if output.startswith("/") else posixpath.join(place, output)
        path = posixpath.normpath(path)
        if root == ".":
            yield path
        elif path.startswith(f"{root}/"):
            yield path[len(root) + 1 :]


def _directory(text: str, base: str) -> str:
    """A directory as these fields write it: from `base` where it starts with a dot."""
    if text == ".":
        return base
    return posixpath.join(base, text[2:]) if text.startswith("./") else text.lstrip("/")


def relocated_path(target: Target, path: str) -> str | None:
    """Where `relocated_files` puts a path, `None` where it leaves it alone or refuses it."""
    source = (target[RelocatedFilesSrcField].value or "").strip("/")
    destination = (target[RelocatedFilesDestField].value or "").strip("/")
    if source and not path.startswith(f"{source}/"):
        return None
    return posixpath.join(destination, path[len(source) + 1 :] if source else path)
