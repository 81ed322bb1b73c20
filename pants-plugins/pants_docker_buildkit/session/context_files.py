"""What do the contexts of one build hold? A rule says it, the build process checks it.

The key of the process has their digest only. Once a process has to build, the rule leaves the list
in the session's directory. That is the permit: without it, a process only finds out that no cache
has its result.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pants_docker_buildkit.session.directory import write_private

FILE, PROGRAM, LINK, DIRECTORY = "file", "program", "link", "directory"
"""What can lie at a path."""

# No part of a path is empty.
_PATH_END = "//"
_ROW_END = "\0"
DIRECTORY_ROW_END = f"{_PATH_END}{DIRECTORY}:0:"
"""What a row of a directory ends with."""


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


# Contexts have tens of thousands of paths. A text for each is written, read and compared with
# others without any of them being looked at, and Python's collector has nothing to look for in it.


def context_row(path: str, kind: str, value: str = "", size: int = 0) -> str:
    """The text that says what lies at a path. The path is relative to where all contexts lie."""
    return f"{path}{_PATH_END}{kind}:{size}:{value}"


def row_path(row: str) -> str:
    """The path that a row is of."""
    return row.partition(_PATH_END)[0]


def parse_row(row: str) -> tuple[str, ContextPath]:
    """A path, and what lies there."""
    path, _, what = row.partition(_PATH_END)
    kind, size, value = what.split(":", 2)
    return path, ContextPath(kind, value, int(size))


def join_rows(rows: Iterable[str]) -> bytes:
    """Rows as they are in a file."""
    return _ROW_END.join(rows).encode("utf-8", "surrogateescape")


def split_rows(content: bytes) -> list[str]:
    """The rows that are in a file. Raises `UnicodeDecodeError`."""
    text = content.decode("utf-8", "surrogateescape")
    return text.split(_ROW_END) if text else []


def write_contents(path: Path, rows: Iterable[str]) -> None:
    """Write a permit: a row for each path of all contexts of a build."""
    write_private(path, join_rows(rows))


def read_contents(path: Path) -> list[str]:
    """The rows of a permit, with the directories that nobody listed but something lies in."""
    rows = split_rows(path.read_bytes())
    known = set(map(row_path, rows))
    for parent in {each.rpartition("/")[0] for each in known}:
        directory = parent
        while directory and directory not in known:
            known.add(directory)
            rows.append(context_row(directory, DIRECTORY))
            directory = directory.rpartition("/")[0]
    return rows
