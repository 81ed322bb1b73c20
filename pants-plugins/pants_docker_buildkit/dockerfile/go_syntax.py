r"""What does a Go regular expression consist of?

The whole of Go's syntax (`regexp/syntax`, Perl flags) but scripts (`\p{Greek}`).
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
_MAX_DEPTH: Final = 100
_REPEATED: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNT: Final = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_FLAGS: Final = re.compile(r"([imsU]*)(?:-([imsU]+))?([:)])")
_NAME: Final = re.compile(r"P?<(\w+)>", re.ASCII)


class Char(NamedTuple):
    """One character that Python's expression `python` matches, whatever its case if it folds it."""

    python: str
    folds_case: bool = False


class Assertion(NamedTuple):
    """A position: `^` and `$` of the text, `(` and `)` of a line, `b` and `B` of words."""

    kind: str


class Sequence(NamedTuple):
    """One after the other."""

    items: tuple[Node, ...]


class Choice(NamedTuple):
    """One of several."""

    items: tuple[Node, ...]


class Repetition(NamedTuple):
    """One again and again, without a limit if `most` is `None`."""

    item: Node
    least: int
    most: Optional[int]


Node = Union[Char, Assertion, Sequence, Choice, Repetition]


def parse_go_regexp(source: str) -> Node:
    """What `source` says. Raises `InvalidGoRegexpError`."""
    return _Parser(source).parse()


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


class _Parser:
    """Reads an expression from its start to its end."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._flags = _Flags()

    def parse(self) -> Node:
        node = self._choice(0)
        if self._position < len(self._source):
            raise InvalidGoRegexpError("unexpected )")
        return node

    def _choice(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise InvalidGoRegexpError("expression nests too deeply")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self, depth: int) -> Node:
        items: list[Node] = []
        may_repeat = False
        while self._position < len(self._source) and self._source[self._position] not in "|)":
            count = self._repetition()
            if count is not None:
                if not items:
                    raise InvalidGoRegexpError("missing argument to repetition operator")
                if not may_repeat:
                    raise InvalidGoRegexpError("invalid nested repetition operator")
                items[-1] = Repetition(items[-1], *count)
                may_repeat = False
                continue
            new = self._items(depth)
            items += new
            may_repeat = may_repeat if not new else True
        return Sequence(tuple(items))

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

    def _items(self, depth: int) -> list[Node]:
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
            return [Assertion("(" if self._flags.is_multiline else "^")]
        if char == "$":
            return [Assertion(")" if self._flags.is_multiline else "$")]
        if char == ".":
            return [Char(r"[\s\S]" if self._flags.dot_is_all else ".")]
        return [self._char(Characters(((ord(char), ord(char)),)))]

    def _group(self, depth: int) -> list[Node]:
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

    def _escape(self) -> list[Node]:
        start = self._position
        letter = self._source[start + 1 : start + 2]
        if letter == "Q":
            literal, _, _ = self._source[start + 2 :].partition("\\E")
            self._position = min(start + 4 + len(literal), len(self._source))
            return [self._char(Characters(((ord(each), ord(each)),))) for each in literal]
        kind = {"A": "^", "z": "$", "b": "b", "B": "B"}.get(letter)
        if kind is not None:
            self._position += 2
            return [Assertion(kind)]
        found = escaped_class(self._source, start)
        if found is not None:
            return [self._class(*found)]
        if not letter:
            raise InvalidGoRegexpError("trailing backslash at end of expression")
        code, self._position = escaped_char(self._source, start)
        return [self._char(Characters(((code, code),)))]

    def _class(self, chars: Characters, end: int) -> Node:
        self._position = end
        return self._char(chars)

    def _char(self, chars: Characters) -> Node:
        return Char(written(chars), self._flags.folds_case)

    def _take(self, char: str) -> bool:
        if self._source.startswith(char, self._position):
            self._position += 1
            return True
        return False
