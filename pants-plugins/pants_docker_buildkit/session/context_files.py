"""What do the contexts of one build hold? A rule says it, the build process checks it.

The key of the process has their digest only. Once a process has to build, the rule leaves the list
in the session's directory. That is the permit: without it, a process only finds out that no cache
has its result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pants_docker_buildkit.session.directory import write_private

FILE, PROGRAM, LINK, DIRECTORY = "file", "program", "link", "directory"
"""What can lie at a path."""


class ContextPath(NamedTuple):
    """What lies at one path of a context.

    `kind` is `FILE`, `PROGRAM`, `LINK` or `DIRECTORY`. `value` is the sha256 of a file's or a
    program's content in hex, or where a link leads; `size` is that of the content, in bytes.
    """

    kind: str
    value: str = ""
    size: int = 0

    @property
    def is_file(self) -> bool:
        """Whether it has a content, which somebody has to bring."""
        return self.kind in (FILE, PROGRAM)


Contents = Mapping[str, ContextPath]
"""All paths of all contexts of a build, relative to the directory that these lie in."""

_DIRECTORY = ContextPath(DIRECTORY)


def to_columns(rows: Mapping[str, tuple[object, ...]]) -> bytes:
    """JSON of what there is for each path: a list of the paths, and one for each of the fields.

    Many paths are read and written much faster so, and nothing else is made of them meanwhile.
    """
    fields = range(len(next(iter(rows.values()), ())))
    columns = ([row[number] for row in rows.values()] for number in fields)
    return json.dumps([list(rows), *columns]).encode()


def write_contents(path: Path, contents: Contents) -> None:
    """Write a permit."""
    write_private(path, to_columns(contents))


def read_contents(path: Path) -> Contents:
    """The contents of a permit, with the directories that nobody listed but something lies in."""
    names, *columns = json.loads(path.read_bytes())
    found = dict(zip(names, map(ContextPath, *columns))) if names else {}
    for name in names:
        parent = name.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = _DIRECTORY
            parent = parent.rpartition("/")[0]
    return found
