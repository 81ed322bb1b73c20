r"""Which Python regular expression matches what this Go one does?

BuildKit turns a pattern into a Go regular expression and leaves in it whatever the pattern's author
wrote as `|`, `{2}`, `^`, `[[:alpha:]]` or `\d`. Go and Python read these differently, so the
expression is parsed by Go's grammar (`regexp/syntax`, Perl flags) and written anew.

Groups are only those that BuildKit itself writes. Unicode classes (`\pL`) are refused.

Go takes time in proportion to the text. Python tries all ways to divide it among repetitions, so
where these could be too many, the expression is followed step by step here, each place once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MAX_REPEAT: Final = 1000
_MAX_RUNE: Final = 0x10FFFF

_DIGIT: Final = ((0x30, 0x39),)
_UPPER: Final = ((0x41, 0x5A),)
_LOWER: Final = ((0x61, 0x7A),)
_UNDERSCORE: Final = ((0x5F, 0x5F),)
_ALPHA: Final = _UPPER + _LOWER
_ALNUM: Final = _DIGIT + _ALPHA
_WORD: Final = _ALNUM + _UNDERSCORE
_PERL_SPACE: Final = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_PUNCT: Final = ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E))

Ranges = tuple[tuple[int, int], ...]


def _perl_class(letter: str) -> Ranges | None:
    ranges = {"d": _DIGIT, "s": _PERL_SPACE, "w": _WORD}.get(letter.lower())
    if ranges is None:
        return None
    return ranges if letter.islower() else _complement(ranges)


def _posix_class(name: str) -> Ranges | None:
    ranges: Ranges | None = {
        "alnum": _ALNUM,
        "alpha": _ALPHA,
        "ascii": ((0x00, 0x7F),),
        "blank": ((0x09, 0x09), (0x20, 0x20)),
        "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
        "digit": _DIGIT,
        "graph": ((0x21, 0x7E),),
        "lower": _LOWER,
        "print": ((0x20, 0x7E),),
        "punct": _PUNCT,
        "space": ((0x09, 0x0D), (0x20, 0x20)),
        "upper": _UPPER,
        "word": _WORD,
        "xdigit": (*_DIGIT, (0x41, 0x46), (0x61, 0x66)),
    }.get(name[1:] if name.startswith("^") else name)
    return _complement(ranges) if ranges is not None and name.startswith("^") else ranges


class InvalidGoRegexpError(ValueError):
    """Go refuses the expression, or it uses what Python cannot express."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Token(NamedTuple):
    """A piece of Python's expression, and where the rest of Go's begins."""

    python: str
    end: int
    is_operator: bool = False
    """It repeats what precedes it."""
    is_repeated: bool = False
    """It ends with an operator, so that no other may follow."""
    is_alternation: bool = False
    least: int = 0
    most: int | None = None
    """How often an operator repeats; `None` where there is no most."""
    characters: str = ""
    """What a quotation stands for: of several characters, an operator repeats the last."""


class GoRegexp:
    """A Go regular expression, which starts with `^`, as all of BuildKit's do."""

    def __init__(self, go: str) -> None:
        """Read `go`; raises `InvalidGoRegexpError`."""
        self._tokens = tuple(_tokenize(go))
        self.python = f"(?:{''.join(token.python for token in self._tokens)})"
        """An expression for `re.match` that matches exactly where Go's `MatchString` finds `go`."""
        self._match = re.compile(self.python).match
        self._branches: list[list[_Step]] | None = None
        written = [token.python for token in self._tokens]
        self._stars = written.count(_STAR)
        self._directories = written.count(_ANY_DIRECTORIES)
        self._others = sum(token.is_operator or token.is_alternation for token in self._tokens)

    @property
    def is_quick(self) -> bool:
        """Whether Python's own way of matching takes no long time for any path."""
        return self._stars + self._directories + self._others <= _QUICK

    def matches(self, path: str) -> bool:
        """Whether Go finds the expression in `path`, in linear time."""
        if self.is_quick or self._ways(path) <= _MANY_WAYS:
            return self._match(path) is not None
        if self._branches is None:
            self._branches = _branches(self._tokens)
        return _matches_stepwise(self._branches, path)

    def _ways(self, path: str) -> int:
        """How many ways Python may try at most."""
        names = path.split("/")
        ways: int = (max(map(len, names)) + 1) ** self._stars
        ways *= len(names) ** self._directories
        ways *= (len(path) + 1) ** self._others
        return ways


class _Step(NamedTuple):
    """One item of an expression: what it takes from a text, whether it must, and how often."""

    expression: re.Pattern[str]
    is_optional: bool = False
    loops: bool = False


def _branches(tokens: Iterable[_Token]) -> list[list[_Step]]:
    """The alternatives of an expression as rows of steps."""
    branches: list[list[_Step]] = [[]]
    total = 0
    for token in tokens:
        steps = branches[-1]
        before = len(steps)
        if token.is_alternation:
            branches.append([])
        elif token.is_operator:
            steps += _repeated(steps.pop(), token)
        elif token.python in _LOOPS:
            steps.append(_Step(re.compile(_LOOPS[token.python]), is_optional=True, loops=True))
        else:
            pieces = [re.escape(each) for each in token.characters] or [token.python]
            steps += (_Step(re.compile(piece)) for piece in pieces)
        total += max(len(steps) - before, 0)
        if total > _MAX_STEPS:
            raise InvalidGoRegexpError("expression too large")
    return branches


def _repeated(step: _Step, token: _Token) -> list[_Step]:
    maybe = step._replace(is_optional=True, loops=token.most is None)
    return [step] * token.least + [maybe] * (1 if token.most is None else token.most - token.least)


def _matches_stepwise(branches: Iterable[list[_Step]], text: str) -> bool:
    for number, steps in enumerate(branches):
        # Only the first alternative has the anchor.
        starts = range(1 if number == 0 else len(text) + 1)
        places = [(0, start) for start in starts]
        seen = set(places)
        while places:
            index, position = places.pop()
            if index == len(steps):
                return True
            for place in _next_places(steps[index], index, position, text):
                if place not in seen:
                    seen.add(place)
                    places.append(place)
    return False


def _next_places(step: _Step, index: int, position: int, text: str) -> Iterator[tuple[int, int]]:
    if step.is_optional:
        yield index + 1, position
    taken = step.expression.match(text, position)
    if taken is not None:
        yield (index if step.loops else index + 1), taken.end()


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
_LOOPS: Final = {_ANY_DIRECTORIES: r"[^/\n]*/", _STAR: "[^/]", ".*": "."}
"""What repeats on its own, by what it repeats."""

# So many repetitions cannot be divided in many ways, whatever the path; with more, it depends.
_QUICK: Final = 2
_MANY_WAYS: Final = 20_000
_MAX_STEPS: Final = 20_000

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
        return _Token("*", start + 1, is_operator=True, is_repeated=True, least=0)
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
    return _Token(
        f"{{{least}{comma or ''}{most or ''}}}",
        found.end(),
        is_operator=True,
        is_repeated=True,
        least=int(least),
        most=int(most) if most else None if comma else int(least),
    )


def _escape(go: str, start: int) -> _Token:
    letter = go[start + 1 : start + 2]
    if letter == "Q":
        end = go.find("\\E", start + 2)
        literal, end = (go[start + 2 :], len(go)) if end < 0 else (go[start + 2 : end], end + 2)
        # A repetition after it takes the last character alone, as it does in Go.
        return _Token(re.escape(literal), end, characters=literal)
    position_test = {"A": r"(?:\A)", "z": r"(?:\Z)", "b": r"(?a:\b)", "B": _NOT_AT_WORD_BOUNDARY}
    if letter in position_test:
        return _Token(position_test[letter], start + 2)
    ranges = _perl_class(letter)
    if ranges is not None:
        return _Token(_written(ranges), start + 2)
    code, end = _escaped_char(go, start)
    return _Token(_written(((code, code),)), end)


# Python before 3.14 finds no `\B` in an empty string, where Go does.
_NOT_AT_WORD_BOUNDARY: Final = r"(?:(?a:(?!\b)))"


def _escaped_char(go: str, start: int) -> tuple[int, int]:
    """The code point that a backslash and what follows it stand for, and where that ends."""
    char = go[start + 1 : start + 2]
    if char and ord(char) < 0x80 and not char.isalnum():
        return ord(char), start + 2
    octal = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})").match(go, start)
    if octal:
        return int(octal.group(1), 8), octal.end()
    hexadecimal = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})").match(go, start)
    if hexadecimal:
        code = int(hexadecimal.group(1) or hexadecimal.group(2), 16)
        if code <= _MAX_RUNE:
            return code, hexadecimal.end()
    control = {"a": 0x07, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}.get(char)
    if control is not None:
        return control, start + 2
    if char in {"p", "P"}:
        raise InvalidGoRegexpError(f"Unicode classes are not supported: \\{char}")
    raise InvalidGoRegexpError(f"invalid escape sequence: \\{char}")


def _char_class(go: str, start: int) -> _Token:
    position = start + 1
    is_negated = go.startswith("^", position)
    position += is_negated
    first = position
    ranges: list[tuple[int, int]] = []
    while position == first or not go.startswith("]", position):
        found, position = _class_item(go, position)
        ranges += found
    chosen = _complement(ranges) if is_negated else tuple(ranges)
    return _Token(_written(chosen), position + 1)


def _class_item(go: str, start: int) -> tuple[Ranges, int]:
    if go.startswith("[:", start) and go.find(":]", start + 2) >= 0:
        end = go.find(":]", start + 2)
        posix = _posix_class(go[start + 2 : end])
        if posix is None:
            raise InvalidGoRegexpError(f"invalid character class range: {go[start : end + 2]}")
        return posix, end + 2
    perl = _perl_class(go[start + 1 : start + 2]) if go.startswith("\\", start) else None
    if perl is not None:
        return perl, start + 2
    low, end = _class_char(go, start)
    if not go.startswith("-", end) or go[end + 1 : end + 2] in {"]", ""}:
        return ((low, low),), end
    high, end = _class_char(go, end + 1)
    if high < low:
        raise InvalidGoRegexpError(f"invalid character class range: {go[start:end]}")
    return ((low, high),), end


def _class_char(go: str, start: int) -> tuple[int, int]:
    if start >= len(go):
        raise InvalidGoRegexpError("missing closing ]")
    return _escaped_char(go, start) if go[start] == "\\" else (ord(go[start]), start + 1)


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    gaps, next_free = [], 0
    for low, high in sorted(ranges):
        if low > next_free:
            gaps.append((next_free, low - 1))
        next_free = max(next_free, high + 1)
    if next_free <= _MAX_RUNE:
        gaps.append((next_free, _MAX_RUNE))
    return tuple(gaps)


def _written(ranges: Ranges) -> str:
    if not ranges:
        return "(?!)"
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"
