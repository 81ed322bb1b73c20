r"""Which Python regular expression matches what this Go one does?

BuildKit turns a pattern into a Go regular expression and leaves in it whatever the pattern's author
wrote as `|`, `{2}`, `^`, `[[:alpha:]]` or `\d`. Go and Python read these differently, so the
expression is parsed by Go's grammar (`regexp/syntax`, Perl flags) and written anew.

Groups are only those that BuildKit itself writes.

Go takes time in proportion to the text. Python tries all ways to divide it among repetitions, so
where these could be too many, the expression is followed as Go does it (`go_expression.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pants_docker_buildkit.dockerfile.go_characters import (
    InvalidGoRegexpError,
    char_class,
    escaped_char,
    escaped_class,
    written,
)
from pants_docker_buildkit.dockerfile.go_expression import GoExpression

MAX_REPEAT: Final = 1000


class _Token(NamedTuple):
    """A piece of Python's expression, and where the rest of Go's begins."""

    python: str
    end: int
    is_operator: bool = False
    """It repeats what precedes it."""
    is_repeated: bool = False
    """It ends with an operator, so that no other may follow."""
    is_alternation: bool = False


class GoRegexp:
    """A Go regular expression, which starts with `^`, as all of BuildKit's do."""

    def __init__(self, go: str) -> None:
        """Read `go`; raises `InvalidGoRegexpError`."""
        self._go = go
        tokens = tuple(_tokenize(go))
        written = [token.python for token in tokens]
        self.python = f"(?:{''.join(written)})"
        """An expression for `re.match` that matches exactly where Go's `MatchString` finds `go`."""
        self._match = re.compile(self.python).match
        self._expression: GoExpression | None = None
        self._stars = written.count(_STAR)
        self._directories = written.count(_ANY_DIRECTORIES)
        self._others = sum(token.is_operator or token.is_alternation for token in tokens)

    @property
    def is_quick(self) -> bool:
        """Whether Python's own way of matching takes no long time for any path."""
        return self._stars + self._directories + self._others <= _QUICK

    def matches(self, path: str) -> bool:
        """Whether Go finds the expression in `path`, in linear time."""
        if self.is_quick or self._ways(path) <= _MANY_WAYS:
            return self._match(path) is not None
        if self._expression is None:
            self._expression = GoExpression(self._go)
        return self._expression.matches(path)

    def _ways(self, path: str) -> int:
        """How many ways Python may try at most."""
        names = path.split("/")
        ways: int = (max(map(len, names)) + 1) ** self._stars
        ways *= len(names) ** self._directories
        ways *= (len(path) + 1) ** self._others
        return ways


def _tokenize(go: str) -> Iterator[_Token]:
    position, previous = 0, _Token("", 0, is_alternation=True)
    while position < len(go):
        token = _next_token(go, position)
        if token.is_operator and previous.is_alternation:
            raise InvalidGoRegexpError("missing argument to repetition operator")
        if token.is_operator and previous.is_repeated:
            raise InvalidGoRegexpError("invalid nested repetition operator")
        # Twice any directories is once any directories, and Python need not try how to divide them.
        if token.python != _ANY_DIRECTORIES or previous.python != _ANY_DIRECTORIES:
            yield token
        position, previous = token.end, token


_ANY_DIRECTORIES: Final = "(?:.*/)?"
_STAR: Final = "[^/]*"

# So many repetitions cannot be divided in many ways, whatever the path; with more, it depends.
_QUICK: Final = 2
_MANY_WAYS: Final = 20_000

# Go looks for a match anywhere, and only the first alternative starts with BuildKit's `^`.
_OR_ANYWHERE: Final = r"|[\s\S]*?"


def _next_token(go: str, start: int) -> _Token:
    for fixed, python in (("(.*/)?", _ANY_DIRECTORIES), (_STAR, _STAR), (".*", ".*")):
        if go.startswith(fixed, start):
            return _Token(python, start + len(fixed), is_repeated=True)
    char = go[start]
    if char == "\\":
        return _escape(go, start)
    if char == "[":
        return _char_class(go, start)
    if char == "{":
        return _counted_repetition(go, start)
    if char == "*":
        return _Token("*", start + 1, is_operator=True, is_repeated=True)
    if char == "|":
        return _Token(_OR_ANYWHERE, start + 1, is_alternation=True)
    anchors = {"^": r"(?:\A)", "$": r"(?:\Z)"}
    return _Token(anchors.get(char) or re.escape(char), start + 1)


def _counted_repetition(go: str, start: int) -> _Token:
    number = "(0|[1-9][0-9]*)"
    found = re.compile(rf"\{{{number}(?:(,){number}?)?\}}").match(go, start)
    if not found:
        return _Token(r"\{", start + 1)
    least, comma, most = found.groups()
    if int(least) > MAX_REPEAT or (most and not int(least) <= int(most) <= MAX_REPEAT):
        raise InvalidGoRegexpError(f"invalid repeat count: {found.group()}")
    repetition = f"{{{least}{comma or ''}{most or ''}}}"
    return _Token(repetition, found.end(), is_operator=True, is_repeated=True)


def _escape(go: str, start: int) -> _Token:
    letter = go[start + 1 : start + 2]
    if letter == "Q":
        end = go.find("\\E", start + 2)
        literal, end = (go[start + 2 :], len(go)) if end < 0 else (go[start + 2 : end], end + 2)
        # A repetition after it takes the last character alone, as it does in Go.
        return _Token(re.escape(literal), end)
    position_test = {"A": r"(?:\A)", "z": r"(?:\Z)", "b": r"(?a:\b)", "B": _NOT_AT_WORD_BOUNDARY}
    if letter in position_test:
        return _Token(position_test[letter], start + 2)
    found = escaped_class(go, start)
    if found is not None:
        return _Token(written(found[0].ranges()), found[1])
    code, end = escaped_char(go, start)
    return _Token(written(((code, code),)), end)


# Python before 3.14 finds no `\B` in an empty string, where Go does.
_NOT_AT_WORD_BOUNDARY: Final = r"(?:(?a:(?!\b)))"


def _char_class(go: str, start: int) -> _Token:
    chosen, end = char_class(go, start)
    return _Token(written(chosen.ranges()), end)
