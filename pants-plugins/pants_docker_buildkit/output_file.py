"""Where below `dist/` does the file of a target go?"""

from __future__ import annotations

import posixpath

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address

from pants_docker_buildkit.errors import InvalidImageFieldError


def artifacts_directory(field: OutputPathField, *, has_own: bool) -> str:
    """The directory of the files of a target that leaves some, `.` for that of all.

    By default that of the BUILD file, as Pants has it for `docker_image`, or one of its own.
    """
    path = field.value or ""
    if field.value == field.default:
        path = field.value_or_default(file_ending=None) if has_own else field.address.spec_path
    path = posixpath.normpath(path or ".")
    if path.startswith("/") or path.split("/")[0] == "..":
        raise InvalidImageFieldError(
            field.alias,
            field.address,
            "name a directory below `dist/`",
            f"it is {field.value!r}",
            "Leave it out, or write a path such as 'deploy/files'.",
        )
    return path


def output_file(field: OutputPathField, address: Address, file_ending: str) -> str:
    """The path, which does not lead out of `dist/`: for one that does, Pants never ends."""
    path = field.value_or_default(file_ending=file_ending)
    if posixpath.normpath(path).split("/")[0] in ("", ".", ".."):
        raise InvalidImageFieldError(
            field.alias,
            address,
            "name a file below `dist/`",
            f"it is {field.value!r}",
            "Leave it out, or write a path such as 'deploy/file'.",
        )
    return path
