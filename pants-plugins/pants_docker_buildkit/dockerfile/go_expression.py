r"""Does a Go regular expression match somewhere in a text?

As in Go, the time is in proportion to the text: all ways through the expression are followed at
once, and each step that was taken before is remembered.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Optional

from pants_docker_buildkit.dockerfile.go_characters import InvalidGoRegexpError
from pants_docker_buildkit.dockerfile.go_syntax import (
    Assertion,
    Char,
    Choice,
    Node,
    Sequence,
    parse_go_regexp,
)

_MAX_INSTRUCTIONS: Final = 20_000
_MAX_REMEMBERED: Final = 50_000


class _Step(NamedTuple):
    """An instruction: take a character, or check a position, and go on at each of `following`."""

    following: tuple[int, ...]
    char: Optional[re.Pattern[str]] = None
    assertion: str = ""


class GoExpression:
    """A Go regular expression."""

    def __init__(self, source: str) -> None:
        """Read `source`. Raises `InvalidGoRegexpError`."""
        self.source = source
        self._steps: list[_Step] = [_Step(())]
        self._start = self._compile(parse_go_regexp(source), 0)
        self._remembered: dict[tuple[frozenset[int], str, str], tuple[bool, frozenset[int]]] = {}

    def matches(self, text: str) -> bool:
        """Whether Go's `MatchString` finds it anywhere in `text`."""
        places = frozenset((self._start,))
        before = ""
        for char in (*text, ""):
            key = (places, _kind(before), char)
            found = self._remembered.get(key)
            if found is None:
                if len(self._remembered) > _MAX_REMEMBERED:
                    self._remembered.clear()
                found = self._remembered[key] = self._advance(*key)
            is_match, places = found
            if is_match:
                return True
            before = char
        return False

    def _advance(
        self, places: frozenset[int], before: str, char: str
    ) -> tuple[bool, frozenset[int]]:
        """Whether the end is reached before `char`, and else where one is after it."""
        reached, waiting = set(places), list(places)
        following = {self._start}
        while waiting:
            step = self._steps[waiting.pop()]
            if step.char is not None:
                if char and step.char.match(char):
                    following.update(step.following)
                continue
            if not step.following:
                return True, frozenset()
            if step.assertion and not _holds(step.assertion, before, char):
                continue
            new = [each for each in step.following if each not in reached]
            reached.update(new)
            waiting += new
        return False, frozenset(following)

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= _MAX_INSTRUCTIONS:
            raise InvalidGoRegexpError("expression too large")
        self._steps.append(step)
        return len(self._steps) - 1

    def _compile(self, node: Node, after: int) -> int:
        """The first step of `node`, after which comes the step `after`."""
        if isinstance(node, Char):
            expression = re.compile(node.python, re.IGNORECASE if node.folds_case else 0)
            return self._add(_Step((after,), char=expression))
        if isinstance(node, Assertion):
            return self._add(_Step((after,), assertion=node.kind))
        if isinstance(node, Sequence):
            for item in reversed(node.items):
                after = self._compile(item, after)
            return after
        if isinstance(node, Choice):
            return self._add(_Step(tuple(self._compile(item, after) for item in node.items)))
        if node.most is None:
            loop = self._add(_Step((after,)))
            self._steps[loop] = _Step((self._compile(node.item, loop), after))
            after = loop
        else:
            end = after
            for _ in range(node.most - node.least):
                after = self._add(_Step((self._compile(node.item, after), end)))
        for _ in range(node.least):
            after = self._compile(node.item, after)
        return after


def _kind(char: str) -> str:
    """All that an assertion can see of a character, as one of that kind."""
    if char in ("", "\n"):
        return char
    return "a" if _is_word(char) else " "


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())


def _holds(assertion: str, before: str, after: str) -> bool:
    if assertion == "^":
        return not before
    if assertion == "$":
        return not after
    if assertion == "(":
        return before in ("", "\n")
    if assertion == ")":
        return after in ("", "\n")
    return (_is_word(before) != _is_word(after)) == (assertion == "b")
