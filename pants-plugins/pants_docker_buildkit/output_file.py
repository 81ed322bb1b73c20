"""Where below `dist/` does what a target leaves go?

No path leads out of it: with one that does, Pants never ends.
"""

from __future__ import annotations

import posixpath

from pants.core.goals.package import OutputPathField

from pants_docker_buildkit.errors import InvalidImageFieldError

_FILE = ("a file below `dist/`", "deploy/file")
_DIRECTORY = ("a directory below `dist/`", "deploy/files")
_OWN_DIRECTORY = (
    "a directory below `dist/`, which then holds nothing but these files",
    "deploy/manifests",
)


def artifacts_directory(field: OutputPathField, *, has_own: bool) -> str:
    """The directory of the files of a target that leaves some, `.` for that of all.

    By default that of the BUILD file, as Pants has it for `docker_image`, or one of its own.
    """
    path = field.value or ""
    if field.value == field.default:
        path = field.value_or_default(file_ending=None) if has_own else field.address.spec_path
    directory = posixpath.normpath(path or ".")
    return directory if directory == "." else _below_dist(field, directory, _DIRECTORY)


def own_directory(field: OutputPathField) -> str:
    """A directory that holds what a target leaves and nothing else, for Pants empties it before."""
    return _below_dist(field, field.value_or_default(file_ending=None), _OWN_DIRECTORY)


def output_file(field: OutputPathField, file_ending: str) -> str:
    """The path of the file that a target leaves."""
    path = field.value_or_default(file_ending=file_ending)
    _below_dist(field, path, _FILE)
    return path


def _below_dist(field: OutputPathField, path: str, kind: tuple[str, str]) -> str:
    """A path in its shortest form. Raises `InvalidImageFieldError` where it leads elsewhere."""
    normal = posixpath.normpath(path)
    if normal.split("/")[0] not in ("", ".", ".."):
        return normal
    name, example = kind
    raise InvalidImageFieldError(
        field.alias,
        field.address,
        f"name {name}",
        f"it is {field.value!r}",
        f"Leave it out, or write a path such as {example!r}.",
    )
