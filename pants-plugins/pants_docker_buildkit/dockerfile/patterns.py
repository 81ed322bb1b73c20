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

from pants_docker_buildkit.dockerfile.go_regexp import InvalidGoRegexpError, translate_go_regexp
from pants_docker_buildkit.dockerfile.ignorefile import clean_path, trim_space

_PATTERN_SYNTAX: Final = re.compile(
    # What `filepath.Match` accepts: a character, an escaped one, or a class of one or more ranges.
    r"""(?: [^\[\\]
        |   \\.
        |   \[ (?: \^ | (?!\^) ) (?: {char} (?: - {char} )? )+ \]
        )*""".format(char=r"(?: \\. | [^\]\-\\\ud800-\udfff] )"),
    re.VERBOSE | re.DOTALL,
)

# Moby means to escape `{`, `|` and `}` too, but its table has no room for them.
_ESCAPED_BY_MOBY: Final = frozenset(".+()$")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class InvalidPatternError(ValueError):
    """BuildKit refuses a pattern, or the plugin cannot evaluate it. `requirement` completes "must …"."""

    def __init__(self, pattern: str, requirement: str) -> None:
        self.pattern = pattern
        self.requirement = requirement
        super().__init__(f"The ignore pattern {pattern!r} must {requirement}.")


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
        trimmed = trim_space(pattern)
        if not trimmed:
            continue
        text = clean_path(trimmed)
        is_exception = text.startswith("!")
        if text == "!":
            raise InvalidPatternError(pattern, "name a path after '!'")
        text = text[1:] if is_exception else text
        if not _PATTERN_SYNTAX.fullmatch(text):
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
            kind = PatternKind.PREFIX if is_last and kind is PatternKind.EXACT else PatternKind.REGEXP
            kind = PatternKind.SUFFIX if is_first else kind
            go.append(".*" if is_last else "(.*/)?")
        elif char in "*?":
            kind = PatternKind.REGEXP
            go.append("[^/]*" if char == "*" else "[^/]")
        elif char in _ESCAPED_BY_MOBY:
            go.append("\\" + char)
        elif char == "\\":
            kind = PatternKind.REGEXP
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


class PathMatcher:
    """Does a path match at least one of some patterns, its parents left aside?

    All the patterns are asked at once, which is what makes large contexts quick.
    """

    def __init__(self, patterns: Iterable[IgnorePattern]) -> None:
        """Compile the patterns; raises `InvalidPatternError` where Go would refuse one."""
        exact, prefixes, suffixes, regexps = set(), [], [], []
        for pattern in patterns:
            kind, operand = compile_pattern(pattern.text)
            if kind is PatternKind.EXACT:
                exact.add(operand)
            elif kind is PatternKind.PREFIX:
                prefixes.append(operand)
            elif kind is PatternKind.SUFFIX:
                suffixes.append(operand)
                if operand.startswith("/"):
                    # `**/foo` matches `foo` as well.
                    exact.add(operand[1:])
            else:
                regexps.append(_python_expression(pattern.text, operand))
        self._exact = frozenset(exact)
        self._prefixes = tuple(prefixes)
        self._suffixes = tuple(suffixes)
        self._match = re.compile("|".join(regexps)).match if regexps else None

    def matches(self, path: str) -> bool:
        """Whether `path` itself matches."""
        return (
            path in self._exact
            or path.endswith(self._suffixes)
            or path.startswith(self._prefixes)
            or (self._match is not None and self._match(path) is not None)
        )


def _python_expression(pattern: str, go: str) -> str:
    try:
        return translate_go_regexp(go)
    except InvalidGoRegexpError as e:
        raise InvalidPatternError(pattern, f"be one that BuildKit accepts ({e.reason})") from e
