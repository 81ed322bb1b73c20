r"""Does a Go regular expression match somewhere in a text?

The whole of Go's syntax (`regexp/syntax`, Perl flags) but scripts (`\p{Greek}`). As in Go, the time
is in proportion to the text: all ways through the expression are followed at once, and each step
that was taken before is remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Optional, Union

from pants_docker_buildkit.dockerfile.go_characters import (
    Characters,
    InvalidGoRegexpError,
    char_class,
    escaped_char,
    escaped_class,
    written,
)

_MAX_REPEAT: Final = 1000
_MAX_INSTRUCTIONS: Final = 20_000
_MAX_DEPTH: Final = 100
_MAX_REMEMBERED: Final = 50_000
_ANY = Characters(((0, 0x10FFFF),))
_ANY_IN_LINE = Characters(((0x0A, 0x0A),), is_negated=True)
_REPEATED: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNT: Final = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_FLAGS: Final = re.compile(r"([imsU]*)(?:-([imsU]+))?([:)])")
_NAME: Final = re.compile(r"P?<(\w+)>", re.ASCII)


class _Char(NamedTuple):
    """One character."""

    expression: re.Pattern[str]


class _Assertion(NamedTuple):
    """A position: `^` and `$` of the text, `(` and `)` of a line, `b` and `B` of words."""

    kind: str


class _Sequence(NamedTuple):
    items: tuple[_Node, ...]


class _Choice(NamedTuple):
    items: tuple[_Node, ...]


class _Repetition(NamedTuple):
    item: _Node
    least: int
    most: Optional[int]


_Node = Union[_Char, _Assertion, _Sequence, _Choice, _Repetition]


class _Step(NamedTuple):
    """An instruction: take a character, or check a position, and go on at each of `following`."""

    following: tuple[int, ...]
    char: Optional[re.Pattern[str]] = None
    assertion: str = ""


@dataclass(frozen=True)
class _Flags:
    folds_case: bool = False
    is_multiline: bool = False
    dot_is_all: bool = False

    def changed(self, on: str, off: str) -> _Flags:
        return _Flags(
            ("i" in on or self.folds_case) and "i" not in off,
            ("m" in on or self.is_multiline) and "m" not in off,
            ("s" in on or self.dot_is_all) and "s" not in off,
        )


class GoExpression:
    """A Go regular expression."""

    def __init__(self, source: str) -> None:
        """Read `source`. Raises `InvalidGoRegexpError`."""
        self.source = source
        self._steps: list[_Step] = [_Step(())]
        self._start = self._compile(_Parser(source).parse(), 0)
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

    def _compile(self, node: _Node, after: int) -> int:
        """The first step of `node`, after which comes the step `after`."""
        if isinstance(node, _Char):
            return self._add(_Step((after,), char=node.expression))
        if isinstance(node, _Assertion):
            return self._add(_Step((after,), assertion=node.kind))
        if isinstance(node, _Sequence):
            for item in reversed(node.items):
                after = self._compile(item, after)
            return after
        if isinstance(node, _Choice):
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


class _Parser:
    """Reads an expression from its start to its end."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._flags = _Flags()

    def parse(self) -> _Node:
        node = self._choice(0)
        if self._position < len(self._source):
            raise InvalidGoRegexpError("unexpected )")
        return node

    def _choice(self, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise InvalidGoRegexpError("expression nests too deeply")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def _sequence(self, depth: int) -> _Node:
        items: list[_Node] = []
        may_repeat = False
        while self._position < len(self._source) and self._source[self._position] not in "|)":
            count = self._repetition()
            if count is not None:
                if not items:
                    raise InvalidGoRegexpError("missing argument to repetition operator")
                if not may_repeat:
                    raise InvalidGoRegexpError("invalid nested repetition operator")
                items[-1] = _Repetition(items[-1], *count)
                may_repeat = False
                continue
            new = self._items(depth)
            items += new
            may_repeat = may_repeat if not new else True
        return _Sequence(tuple(items))

    def _repetition(self) -> tuple[int, int | None] | None:
        char = self._source[self._position]
        if char in _REPEATED:
            self._position += 1
            count: tuple[int, int | None] = _REPEATED[char]
        else:
            found = _COUNT.match(self._source, self._position)
            if found is None:
                return None
            least, comma, most = found.groups()
            count = (int(least), int(most) if most else None if comma else int(least))
            if max(count[0], count[1] or 0) > _MAX_REPEAT or (most and int(most) < int(least)):
                raise InvalidGoRegexpError(f"invalid repeat count: {found.group()}")
            self._position = found.end()
        # How much is taken first changes nothing about whether there is a match.
        self._take("?")
        return count

    def _items(self, depth: int) -> list[_Node]:
        """What begins here: one item, or none, or the characters of a quotation."""
        char = self._source[self._position]
        if char == "(":
            return self._group(depth)
        if char == "[":
            return [self._class(*char_class(self._source, self._position))]
        if char == "\\":
            return self._escape()
        self._position += 1
        if char == "^":
            return [_Assertion("(" if self._flags.is_multiline else "^")]
        if char == "$":
            return [_Assertion(")" if self._flags.is_multiline else "$")]
        if char == ".":
            return [self._char(_ANY if self._flags.dot_is_all else _ANY_IN_LINE)]
        return [self._char(Characters(((ord(char), ord(char)),)))]

    def _group(self, depth: int) -> list[_Node]:
        self._position += 1
        before = self._flags
        if self._take("?"):
            name = _NAME.match(self._source, self._position)
            flags = _FLAGS.match(self._source, self._position)
            if name is not None:
                self._position = name.end()
            elif flags is not None and flags.group() not in (")", "-)"):
                self._position = flags.end()
                self._flags = before.changed(flags[1] or "", flags[2] or "")
                if flags[3] == ")":
                    # For the rest of the group around it.
                    return []
            else:
                raise InvalidGoRegexpError("invalid or unsupported Perl syntax")
        node = self._choice(depth + 1)
        if not self._take(")"):
            raise InvalidGoRegexpError("missing closing )")
        self._flags = before
        return [node]

    def _escape(self) -> list[_Node]:
        start = self._position
        letter = self._source[start + 1 : start + 2]
        if letter == "Q":
            literal, _, _ = self._source[start + 2 :].partition("\\E")
            self._position = min(start + 4 + len(literal), len(self._source))
            return [self._char(Characters(((ord(each), ord(each)),))) for each in literal]
        kind = {"A": "^", "z": "$", "b": "b", "B": "B"}.get(letter)
        if kind is not None:
            self._position += 2
            return [_Assertion(kind)]
        found = escaped_class(self._source, start)
        if found is not None:
            return [self._class(*found)]
        if not letter:
            raise InvalidGoRegexpError("trailing backslash at end of expression")
        code, self._position = escaped_char(self._source, start)
        return [self._char(Characters(((code, code),)))]

    def _class(self, chars: Characters, end: int) -> _Node:
        self._position = end
        return self._char(chars)

    def _char(self, chars: Characters) -> _Node:
        # A negated class has no character whose other case it excludes.
        pattern = written(chars.positive)
        if chars.is_negated:
            pattern = f"[^{pattern[1:]}" if pattern.startswith("[") else r"[\s\S]"
        return _Char(re.compile(pattern, re.IGNORECASE if self._flags.folds_case else 0))

    def _take(self, char: str) -> bool:
        if self._source.startswith(char, self._position):
            self._position += 1
            return True
        return False
