"""Which patterns does an ignore file hold, and which file is it?

The rules are those of `moby/patternmatcher/ignorefile` and of BuildKit's Dockerfile frontend.
"""

from __future__ import annotations

import posixpath
from typing import Final

from pants_docker_buildkit.dockerfile.characters import strip_spaces

IGNORE_FILE_NAME: Final = ".dockerignore"

NO_PATTERNS_IGNORE_FILE: Final = b"# The context was filtered before the build.\n"
"""What to put beside the Dockerfile so that BuildKit reads no other ignore file.

A frontend that runs in a container takes an empty file for a missing one, and then reads the
`.dockerignore` in the context. So this one holds a comment.
"""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# The buffer of Go's `bufio.Scanner`, in which a line has to end.
_SCANNER_BUFFER_SIZE: Final = 64 * 1024


class IgnoreFileLineTooLongError(ValueError):
    """A line does not fit into the buffer with which BuildKit reads an ignore file.

    `requirement` completes "must …".
    """

    def __init__(self, line: int) -> None:
        self.line = line
        self.requirement = f"be shorter than {_SCANNER_BUFFER_SIZE} bytes"
        super().__init__(f"Line {line} of an ignore file must {self.requirement}.")


def parse_ignore_file(content: bytes) -> tuple[str, ...]:
    """The patterns of an ignore file in their order, each still with its `!`.

    Comments start in the first column; blank lines are skipped; white space around a pattern and
    one leading `/` are dropped; the path is shortened as `filepath.Clean` does.
    """
    patterns = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) >= _SCANNER_BUFFER_SIZE:
            raise IgnoreFileLineTooLongError(number)
        if number == 1 and line.startswith(_BYTE_ORDER_MARK):
            line = line[len(_BYTE_ORDER_MARK) :]
        if line.startswith(b"#"):
            continue
        pattern = strip_spaces(line.decode("utf-8", "surrogateescape"))
        if pattern:
            patterns.append(_clean_pattern(pattern))
    return tuple(patterns)


def ignore_file_candidates(dockerfile: str | None, context_root: str) -> tuple[str, ...]:
    """Where the ignore file of the main context may be, the first that exists deciding alone.

    `dockerfile` is `None` where the target has `instructions` and no file. All paths are relative
    to the repository; a `context_root` of `""` or `.` is its root. An empty file counts.
    """
    beside_the_dockerfile = () if dockerfile is None else (f"{dockerfile}{IGNORE_FILE_NAME}",)
    return (*beside_the_dockerfile, named_context_ignore_file(context_root))


def named_context_ignore_file(root: str) -> str:
    """Where the ignore file of a named context is. No other name counts, and none is inherited."""
    return posixpath.normpath(posixpath.join(root, IGNORE_FILE_NAME))


def clean_path(path: str) -> str:
    """`path` as Go's `filepath.Clean` shortens it."""
    cleaned = posixpath.normpath(path)
    # POSIX lets two leading slashes mean something else, and Python keeps them. Go does not.
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _clean_pattern(pattern: str) -> str:
    if not pattern.startswith("!"):
        return _clean_to_relative(pattern)
    inverted = strip_spaces(pattern[1:])
    return "!" + (_clean_to_relative(inverted) if inverted else "")


def _clean_to_relative(pattern: str) -> str:
    cleaned = clean_path(pattern)
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned
