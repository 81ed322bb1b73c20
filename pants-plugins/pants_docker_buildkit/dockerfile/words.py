"""How does the text after a keyword fall into flags and words?

The counterpart of BuildKit's `parser/line_parsers.go` and `parser/split_command.go`. Words keep
their quotes, flags lose theirs; nothing is expanded here.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from pants_docker_buildkit.dockerfile.characters import SPACES, strip_spaces

_WHITESPACE = re.compile(r"[\t\v\f\r ]+")
_QUOTES = frozenset("'\"")
_ANY_SPACE = re.compile(f"[{SPACES}]+")
_PLAIN = re.compile(f"[^{SPACES}'\"\\\\`]+")
_PLAIN_IN_QUOTES = re.compile(r"[^'\"\\`]+")
_PLAIN_FLAG = re.compile(f"--[^{SPACES}'\"\\\\`]*(?=[{SPACES}]|\\Z)")
_NOT_STRINGS = "its JSON form has not only strings"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class MalformedArgumentsError(ValueError):
    """An instruction has arguments that BuildKit refuses. Its text is part of a sentence."""


def split_keyword(line: str) -> tuple[str, str]:
    """The keyword of an instruction, and the text after it."""
    parts = _WHITESPACE.split(strip_spaces(line), maxsplit=1)
    return parts[0], parts[1] if len(parts) == 2 else ""


def split_first_word(text: str) -> tuple[str, str]:
    """The first word of `text`, which begins with one, and what follows the space after it."""
    parts = _ANY_SPACE.split(text, maxsplit=1)
    return parts[0], parts[1] if len(parts) == 2 else ""


def split_at_whitespace(text: str) -> tuple[str, ...]:
    """The words of an instruction that knows no quotes, such as `FROM` or `COPY`."""
    return tuple(_WHITESPACE.split(text)) if text else ()


def split_name_and_value(text: str) -> tuple[str, str] | None:
    """Name and value of the old form `ENV name value`; `None` where there is no value."""
    parts = _WHITESPACE.split(text, maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else None


def split_quoted(text: str, escape: str) -> tuple[str, ...]:
    """The words of an instruction whose words may have quotes, such as `ARG` or `ENV`."""
    if escape not in text and "'" not in text and '"' not in text:
        return tuple(word for word in _ANY_SPACE.split(text) if word)
    return _QuotedWords(text, escape).split()


class _QuotedWords:
    """Splits at white space outside of quotes; quotes and escapes stay in the words."""

    def __init__(self, text: str, escape: str) -> None:
        self._text = text
        self._escape = escape
        self._position = 0

    def split(self) -> tuple[str, ...]:
        words: list[str] = []
        while True:
            gap = _ANY_SPACE.match(self._text, self._position)
            self._position = gap.end() if gap else self._position
            if self._position >= len(self._text):
                return tuple(words)
            word = self._read_word()
            if word:
                words.append(word)

    def _read_word(self) -> str:
        start, quote = self._position, ""
        while self._position < len(self._text):
            plain = (_PLAIN_IN_QUOTES if quote else _PLAIN).match(self._text, self._position)
            if plain is not None:
                self._position = plain.end()
                continue
            character = self._text[self._position]
            if not quote and character in SPACES:
                break
            if character == self._escape and quote != "'":
                # An escape at the very end escapes nothing and is dropped.
                if self._position + 1 == len(self._text):
                    self._position += 1
                    return self._text[start:-1]
                self._position += 1
            elif character == quote:
                quote = ""
            elif not quote and character in _QUOTES:
                quote = character
            self._position += 1
        return self._text[start : self._position]


def split_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The words at the start of `text` that begin with `--`, unquoted, and the rest.

    BuildKit does this byte by byte: outside of ASCII, it takes each byte of a flag for a character.
    """
    if not text.lstrip(SPACES).startswith("--"):
        return (), strip_spaces(text)
    as_bytes = text.encode("utf-8", "replace").decode("latin-1")
    flags, rest = _Flags(as_bytes, escape).split()
    return flags, strip_spaces(rest.encode("latin-1").decode("utf-8", "replace"))


class _Flags:
    def __init__(self, text: str, escape: str) -> None:
        self._text = text
        self._escape = escape
        self._position = 0

    def split(self) -> tuple[tuple[str, ...], str]:
        flags: list[str] = []
        while True:
            while self._character() != "" and self._character() in SPACES:
                self._position += 1
            if not self._text.startswith("--", self._position):
                return tuple(flags), self._text[self._position :]
            flag = self._read_flag()
            if flag == "--":
                return tuple(flags), self._text[self._position :]
            flags.append(flag)

    def _read_flag(self) -> str:
        plain = _PLAIN_FLAG.match(self._text, self._position)
        if plain is not None:
            self._position = plain.end()
            return plain.group()
        return self._read_quoted_flag()

    def _read_quoted_flag(self) -> str:
        flag: list[str] = []
        quote = ""
        while (character := self._character()) != "":
            if not quote and character in SPACES:
                break
            self._position += 1
            if character == self._escape:
                flag.append(self._character())
                self._position += 1
            elif character == quote:
                quote = ""
            elif not quote and character in _QUOTES:
                quote = character
            else:
                flag.append(character)
        return "".join(flag)

    def _character(self) -> str:
        return self._text[self._position : self._position + 1]


def parse_json_strings(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array; `None` where `text` is not JSON, and so a shell form.

    Raises `MalformedArgumentsError` for an array of something else.
    """
    text = text.lstrip(SPACES)
    if not text.startswith("["):
        return None
    try:
        items = json.loads(
            text, parse_constant=_reject, parse_int=_check_number, parse_float=_check_number
        )
    except RecursionError as e:
        raise MalformedArgumentsError(_NOT_STRINGS) from e
    except ValueError:
        return None
    if not all(isinstance(item, str) for item in items):
        raise MalformedArgumentsError(_NOT_STRINGS)
    return tuple(_LONE_SURROGATE.sub("\ufffd", item) for item in items)


def _reject(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_number(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        _reject(text)
    return number
