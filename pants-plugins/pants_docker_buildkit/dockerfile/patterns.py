"""Which paths does a list of ignore patterns exclude?

The rules are those of `moby/patternmatcher`, which BuildKit uses, its oddities included. In
particular the fate of a path depends on which patterns were tried on its parents, so the patterns
cannot be asked one by one (docs/decisions/0003-ignore-patterns.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from pants_docker_buildkit.dockerfile.characters import strip_spaces
from pants_docker_buildkit.dockerfile.go_characters import InvalidGoRegexpError
from pants_docker_buildkit.dockerfile.go_regexp import GoRegexp
from pants_docker_buildkit.dockerfile.ignorefile import clean_path
from pants_docker_buildkit.oci.invalid_text import InvalidTextError

_CLASS_CHAR: Final = r"(?:\\.|[^\]\-\\\ud800-\udfff])"
_CLASS_RANGE: Final = rf"({_CLASS_CHAR})(?:-({_CLASS_CHAR}))?"
_CLASS: Final = rf"\[(\^|(?!\^))((?:{_CLASS_RANGE})+)\]"

# What `filepath.Match` looks at in one go, up to a `*` that is not in a class, and what it accepts.
_CHUNK: Final = re.compile(r"\**((?:\\.?|[^\\*\[]|\[(?:\\.?|[^\\\]])*\]?)*)", re.DOTALL)
_CHUNK_SYNTAX: Final = re.compile(rf"(?:[^\[\\]|\\.|{_CLASS})*", re.DOTALL)

# Moby means to escape `{`, `|` and `}` too, but its table has no room for them.
_ESCAPED_BY_MOBY: Final = frozenset(".+()$")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class InvalidPatternError(InvalidTextError):
    """BuildKit refuses a pattern, or we cannot evaluate it."""

    noun = "ignore pattern"


class PatternKind(Enum):
    """How moby matches a pattern: by comparing text if it can."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    REGEXP = "regexp"


@dataclass(frozen=True)
class IgnorePattern:
    """One pattern, cleaned, without the `!` that makes it an exception."""

    text: str
    is_exception: bool = False


class CompiledPattern(NamedTuple):
    """What a path is compared with: text, or for `REGEXP` a Go regular expression."""

    kind: PatternKind
    operand: str


def parse_patterns(patterns: Iterable[str]) -> tuple[IgnorePattern, ...]:
    """The patterns of an ignore file, checked as BuildKit checks them before it walks a tree."""
    parsed = []
    for pattern in patterns:
        trimmed = strip_spaces(pattern)
        if not trimmed:
            continue
        text = clean_path(trimmed)
        is_exception = text.startswith("!")
        if text == "!":
            raise InvalidPatternError(pattern, "name a path after '!'")
        text = text[1:] if is_exception else text
        if not _is_well_formed(text):
            raise InvalidPatternError(pattern, "close its '[' and end its escapes")
        parsed.append(IgnorePattern(text, is_exception=is_exception))
    return tuple(parsed)


def compile_pattern(text: str) -> CompiledPattern:
    """How moby matches the cleaned pattern `text`.

    Moby decides the kind while it translates, so a pattern that starts with `**` is a suffix even
    where a `**` at its end would have made it a prefix.
    """
    kind, go, position = PatternKind.EXACT, ["^"], 0
    # Go's scanner skips a byte order mark, and reads a byte that is not UTF-8 as U+FFFD.
    scanned = _LONE_SURROGATE.sub("\ufffd", text[1:] if text.startswith("\ufeff") else text)
    while position < len(scanned):
        is_first, char = position == 0, scanned[position]
        position += 1
        if scanned.startswith("**", position - 1):
            position += 2 if scanned.startswith("/", position + 1) else 1
            is_last = position >= len(scanned)
            kind = (
                PatternKind.PREFIX if is_last and kind is PatternKind.EXACT else PatternKind.REGEXP
            )
            kind = PatternKind.SUFFIX if is_first else kind
            go.append(".*" if is_last else "(.*/)?")
        elif char in "*?":
            kind = PatternKind.REGEXP
            go.append("[^/]*" if char == "*" else "[^/]")
        elif char in _ESCAPED_BY_MOBY:
            go.append("\\" + char)
        elif char == "\\":
            kind = PatternKind.REGEXP if position < len(scanned) else kind
            go.append(scanned[position - 1 : position + 1])
            position += 1
        else:
            kind = PatternKind.REGEXP if char in "[]" else kind
            go.append(char)
    operands = {
        PatternKind.EXACT: text,
        PatternKind.PREFIX: text[:-2],
        PatternKind.SUFFIX: text[2:],
        PatternKind.REGEXP: "".join(go) + "$",
    }
    return CompiledPattern(kind, operands[kind])


def _is_well_formed(text: str) -> bool:
    """Whether moby's `filepath.Match(text, ".")` finds no error.

    It looks no further than it has to in order to know whether `.` matches: at the text before the
    first `*`, and if that matches, at the text before the next.
    """
    first, end = _next_chunk(text, 0)
    if not _CHUNK_SYNTAX.fullmatch(first):
        return False
    if end == len(text) or not _matches_dot(first):
        return True
    return _CHUNK_SYNTAX.fullmatch(_next_chunk(text, end)[0]) is not None


def _next_chunk(text: str, start: int) -> tuple[str, int]:
    found = _CHUNK.match(text, start)
    return (found.group(1), found.end()) if found else ("", len(text))


def _matches_dot(chunk: str) -> bool:
    chosen = re.fullmatch(_CLASS, chunk, re.DOTALL)
    if not chosen:
        return chunk in {".", "?", "\\."}
    ranges = re.findall(_CLASS_RANGE, chosen.group(2), re.DOTALL)
    is_in_range = any(low[-1] <= "." <= (high or low)[-1] for low, high in ranges)
    return is_in_range != bool(chosen.group(1))


class PatternMatcher:
    """Which of some patterns is the last that matches a path, its parents left aside?

    One expression asks for those that have to be asked, the last first, which is what makes large
    contexts quick: asked one by one, 200 patterns took 50 times as long.
    """

    def __init__(self, patterns: Iterable[IgnorePattern]) -> None:
        """Compile the patterns; raises `InvalidPatternError` where Go would refuse one."""
        self._exact: dict[str, int] = {}
        self._slow: list[tuple[int, GoRegexp]] = []
        quick: list[tuple[int, str]] = []
        for index, pattern in enumerate(patterns):
            kind, operand = compile_pattern(pattern.text)
            if kind is PatternKind.EXACT:
                self._exact[operand] = index
            elif kind is PatternKind.PREFIX:
                quick.append((index, re.escape(operand)))
            elif kind is PatternKind.SUFFIX:
                quick.append((index, rf"(?s:.*){re.escape(operand)}\Z"))
                if operand.startswith("/"):
                    # `**/foo` matches `foo` as well.
                    self._exact[operand[1:]] = index
            else:
                regexp = _go_regexp(pattern.text, operand)
                if regexp.is_quick:
                    quick.append((index, regexp.python))
                else:
                    self._slow.append((index, regexp))
        quick.reverse()
        self._slow.reverse()
        self._match = re.compile("|".join(f"{each}()" for _, each in quick)).match
        # Group N is the empty one at the end of the Nth alternative.
        self._indexes = (-1, *(index for index, _ in quick))

    def last_match(self, path: str) -> int:
        """The index of the last pattern that matches `path` itself, -1 if there is none."""
        found = self._match(path)
        last = max(self._exact.get(path, -1), self._indexes[(found and found.lastindex) or 0])
        for index, regexp in self._slow:
            if index < last:
                break
            if regexp.matches(path):
                return index
        return last


def _go_regexp(pattern: str, go: str) -> GoRegexp:
    try:
        return GoRegexp(go)
    except InvalidGoRegexpError as e:
        raise InvalidPatternError(pattern, f"be one that BuildKit accepts ({e})") from e
