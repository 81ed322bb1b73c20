r"""Which characters does a class or an escape of a Go regular expression stand for?

Go's grammar (`regexp/syntax`, Perl flags). Of the Unicode classes (`\pL`), the general categories
are known, as Python's Unicode has them, and scripts (`\p{Greek}`) are refused.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

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


class Characters(NamedTuple):
    """The characters in some ranges of code points, or all others."""

    positive: Ranges
    is_negated: bool = False

    def ranges(self) -> Ranges:
        """The same without negation."""
        return _complement(self.positive) if self.is_negated else self.positive


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


def escaped_class(go: str, start: int) -> tuple[Characters, int] | None:
    r"""The class that begins with the backslash at `start`, `\d` or `\p{L}`, and where it ends."""
    letter = go[start + 1 : start + 2]
    ranges = {"d": _DIGIT, "s": _PERL_SPACE, "w": _WORD}.get(letter.lower())
    if ranges is not None:
        return Characters(ranges, letter.isupper()), start + 2
    if letter not in {"p", "P"}:
        return None
    found = re.compile(r"\\[pP](?:\{(\^?)([^}]*)\}|([^{]))").match(go, start)
    if not found:
        raise InvalidGoRegexpError(f"invalid character class range: {go[start:]}")
    caret, name, single = found.groups()
    category = _category(name if single is None else single)
    return Characters(category, (letter == "P") != bool(caret)), found.end()


@cache
def _category(name: str) -> Ranges:
    """The characters of a general category, or of all that begin with its letter."""
    if name == "Any":
        return ((0, _MAX_RUNE),)
    found: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if name and unicodedata.category(chr(code)).startswith(name):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    if not found:
        raise InvalidGoRegexpError(f"only general categories are supported, not \\p{{{name}}}")
    return tuple(found)


def escaped_char(go: str, start: int) -> tuple[int, int]:
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
    raise InvalidGoRegexpError(f"invalid escape sequence: \\{char}")


def char_class(go: str, start: int) -> tuple[Characters, int]:
    """The class in brackets that begins at `start`, and where it ends."""
    position = start + 1
    is_negated = go.startswith("^", position)
    position += is_negated
    first = position
    ranges: list[tuple[int, int]] = []
    while position == first or not go.startswith("]", position):
        found, position = _class_item(go, position)
        ranges += found
    return Characters(tuple(ranges), is_negated), position + 1


def _class_item(go: str, start: int) -> tuple[Ranges, int]:
    if go.startswith("[:", start) and go.find(":]", start + 2) >= 0:
        end = go.find(":]", start + 2)
        posix = _posix_class(go[start + 2 : end])
        if posix is None:
            raise InvalidGoRegexpError(f"invalid character class range: {go[start : end + 2]}")
        return posix, end + 2
    escaped = escaped_class(go, start) if go.startswith("\\", start) else None
    if escaped is not None:
        return escaped[0].ranges(), escaped[1]
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
    return escaped_char(go, start) if go[start] == "\\" else (ord(go[start]), start + 1)


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    gaps, next_free = [], 0
    for low, high in sorted(ranges):
        if low > next_free:
            gaps.append((next_free, low - 1))
        next_free = max(next_free, high + 1)
    if next_free <= _MAX_RUNE:
        gaps.append((next_free, _MAX_RUNE))
    return tuple(gaps)


def written(chars: Characters) -> str:
    """An expression of Python's `re` that matches exactly one of these characters.

    A negated class stays one: without regard to case, it has no character whose other case it
    excludes.
    """
    ranges, is_negated = chars
    if not ranges:
        return r"[\s\S]" if is_negated else "(?!)"
    low, high = ranges[0]
    if len(ranges) == 1 and low == high:
        return f"[^{re.escape(chr(low))}]" if is_negated else re.escape(chr(low))
    listed = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    return f"[{'^' if is_negated else ''}{listed}]"
