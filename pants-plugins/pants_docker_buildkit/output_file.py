"""Where below `dist/` does the file of a target go?"""

from __future__ import annotations

import posixpath

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address

from pants_docker_buildkit.errors import InvalidImageFieldError


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
