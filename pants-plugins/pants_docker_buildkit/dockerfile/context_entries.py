"""What is in a build context?

The three kinds of entry that the Pants engine reports for a tree. Paths are relative to the root of
the context, with `/` between the parts, and without `.`, `..` or a trailing `/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Union


class FileEntry(NamedTuple):
    """A regular file, known by what its content hashes to.

    `content_sha256` is 64 lower-case hex characters, without a prefix.
    """

    path: str
    content_sha256: str
    size: int
    is_executable: bool = False


class SymlinkEntry(NamedTuple):
    """A symbolic link. The target is what the link says, whether or not it leads anywhere."""

    path: str
    target: str


class DirectoryEntry(NamedTuple):
    """A directory. Only one with nothing in it has to be listed: every other one is implied."""

    path: str


ContextEntry = Union[FileEntry, SymlinkEntry, DirectoryEntry]


def implied_directories(paths: Iterable[str]) -> set[str]:
    """The directories that exist because something lies in them."""
    implied: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in implied:
            implied.add(parent)
            parent = parent.rpartition("/")[0]
    return implied
