r"""Which Python regular expression matches what this Go one does?

BuildKit turns a pattern into a Go regular expression and leaves in it whatever the pattern's author
wrote as `|`, `{2}`, `^`, `[[:alpha:]]` or `\d`. Go and Python read these differently, so the
expression is parsed by Go's grammar (`go_syntax.py`) and written anew.

Groups are only those that BuildKit itself writes.

Go takes time in proportion to the text. Python tries all ways to divide it among repetitions, so
where these could be too many, the expression is followed as Go does it (`go_expression.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Final

from pants_docker_buildkit.dockerfile.go_expression import GoExpression
from pants_docker_buildkit.dockerfile.go_syntax import (
    Assertion,
    Char,
    Choice,
    Node,
    Repetition,
    Sequence,
    parse_go_regexp,
)

# Python before 3.14 finds no `\B` in an empty string, where Go does.
_ASSERTIONS: Final = {
    "^": r"(?:\A)",
    "$": r"(?:\Z)",
    "b": r"(?a:\b)",
    "B": r"(?:(?a:(?!\b)))",
}
_ANY_DIRECTORIES: Final = "(?:.*/)?"
_STAR: Final = "[^/]*"
_ANYTHING: Final = ".*"
_OPERATORS: Final = {(0, None): "*", (0, 1): "?"}

# Go looks for a match anywhere, and only the first alternative starts with BuildKit's `^`.
_OR_ANYWHERE: Final = r"|[\s\S]*?"

# So many repetitions cannot be divided in many ways, whatever the path; with more, it depends.
_QUICK: Final = 2
_MANY_WAYS: Final = 20_000


class GoRegexp:
    """A Go regular expression, which starts with `^`, as all of BuildKit's do."""

    def __init__(self, go: str) -> None:
        """Read `go`; raises `InvalidGoRegexpError`."""
        self._go = go
        root = parse_go_regexp(go)
        self.python = f"(?:{_python(root)})"
        """An expression for `re.match` that matches exactly where Go's `MatchString` finds `go`."""
        self._match = re.compile(self.python).match
        self._expression: GoExpression | None = None
        found = Counter(_many_ways(root))
        self._stars = found.pop(_STAR, 0)
        self._directories = found.pop(_ANY_DIRECTORIES, 0)
        self._others = sum(found.values())

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


def _python(node: Node) -> str:
    """The same in Python's syntax. There are alternatives outside of groups only."""
    if isinstance(node, Char):
        return node.python
    if isinstance(node, Assertion):
        return _ASSERTIONS[node.kind]
    if isinstance(node, Choice):
        return _OR_ANYWHERE.join(map(_python, node.items))
    if isinstance(node, Sequence):
        return "".join(map(_python, _needed(node)))
    item = _python(node.item)
    group = f"(?:{item})" if isinstance(node.item, Sequence) else item
    most = "" if node.most is None else node.most
    return group + (_OPERATORS.get((node.least, node.most)) or f"{{{node.least},{most}}}")


def _needed(sequence: Sequence) -> Iterator[Node]:
    """Its items. Twice any directories is once any directories, which Python need not divide."""
    previous = ""
    for item in sequence.items:
        python = _python(item)
        if python != _ANY_DIRECTORIES or previous != python:
            yield item
        previous = python


def _many_ways(node: Node) -> Iterator[str]:
    """What Python may try in more than one way, as it is written."""
    if isinstance(node, Choice):
        yield from [_OR_ANYWHERE] * (len(node.items) - 1)
        yield from chain.from_iterable(map(_many_ways, node.items))
    if isinstance(node, Sequence):
        yield from chain.from_iterable(map(_many_ways, _needed(node)))
    if isinstance(node, Repetition):
        yield from {_python(node)} - {_ANYTHING}
