"""Which paths do `output_files` and `output_directories` mean?

A path has parts. `*`, `?` and `[…]` match within a part, `**` matches any number of parts, as Pants
has it. A part that is spelled like a pattern also matches itself.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pants_docker_buildkit.oci.invalid_text import InvalidTextError

ANY_DEPTH = "**"

Parts = tuple[str, ...]


class InvalidArtifactPathError(InvalidTextError):
    """A path does not lie in the root file system."""

    noun = "path"


def parse_artifact_path(text: str) -> str:
    """The path in its shortest form; `.` is the root. Raises `InvalidArtifactPathError`."""
    if text.startswith("/"):
        raise InvalidArtifactPathError(text, "be relative to the root of the stage, without a '/'")
    if not text or "\0" in text:
        raise InvalidArtifactPathError(text, "not be empty")
    path = posixpath.normpath(text)
    if path.split("/")[0] == "..":
        raise InvalidArtifactPathError(text, "not lead out of the root of the stage")
    return path


def path_parts(path: str) -> Parts:
    """The parts of a path that was parsed; none of the root."""
    return () if path == "." else tuple(path.split("/"))


def matches_part(part: str, pattern: str) -> bool:
    """Whether a pattern that is not `**` means a name."""
    return part == pattern or fnmatchcase(part, pattern)


def matches(parts: Parts, pattern: Parts) -> bool:
    """Whether a pattern means exactly this path."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        if len(pattern) == 1:
            return True
        return any(matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and matches_part(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


def unmatched_paths(
    files: Iterable[str],
    directories: Iterable[str],
    found_files: Iterable[str],
    found_directories: Iterable[str],
) -> tuple[list[str], list[str]]:
    """Those of `files` and of `directories` that mean nothing of what was found.

    `found_directories` are all of them, also those that hold something.
    """
    file_parts = [path_parts(each) for each in found_files]
    directory_parts = [path_parts(each) for each in found_directories]
    if file_parts or directory_parts:
        directory_parts.append(())
    return (
        [each for each in files if not _means_any(each, file_parts)],
        [each for each in directories if not _means_any(each, directory_parts)],
    )


def _means_any(path: str, found: Iterable[Parts]) -> bool:
    pattern = path_parts(path)
    return any(matches(each, pattern) for each in found)
