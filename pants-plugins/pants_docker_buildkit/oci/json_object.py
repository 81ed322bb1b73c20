"""Read members of a JSON object from outside, each of which may be missing or of another type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

_MAX_DIGITS = 20
_SPACE = " \t\r\n"


class InvalidJsonError(ValueError):
    """A JSON document, or a member of it, is not what its specification says.

    `requirement` completes "must …".
    """

    def __init__(self, path: str, requirement: str) -> None:
        self.path = path
        self.requirement = requirement
        super().__init__(f"{path} must {requirement}")


def _refuse(constant: str) -> object:
    """`NaN` and `Infinity`, which Python takes for JSON."""
    raise ValueError(constant)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose members have different names: of two alike, readers disagree which counts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _fraction(text: str) -> float:
    """A number that is not so large that Python takes it for `Infinity`."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _integer(text: str) -> int:
    """A number that others can hold, too. Older Pythons take minutes for one that is very long."""
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


_NUMBERS: dict[str, Any] = {
    "parse_constant": _refuse,
    "parse_float": _fraction,
    "parse_int": _integer,
}


def parse_json(content: bytes) -> object:
    """What a document from anywhere says. Raises `InvalidJsonError` where readers may disagree."""
    return _parse(content, partial(json.loads, object_pairs_hook=_once, **_NUMBERS))


def _parse(content: bytes, read: Callable[[str], object]) -> object:
    try:
        value = read(content.decode())
        if b"\\u" in content:
            # Half of a surrogate pair is no text: it cannot be printed or sent.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as e:
        raise InvalidJsonError("it", f"be JSON{_place(e)}") from e
    return value


def _place(error: Exception) -> str:
    """Where and why a document is none, for those who write it. No text of it is repeated."""
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}: {error.msg})"
    # Ours, which say what is wrong.
    return f" ({error})" if type(error) is ValueError else ""


class JsonObject:
    """A JSON object that knows where in its document it stands, for the errors it raises."""

    def __init__(self, members: dict[str, object], path: str) -> None:
        self._members = members
        self._path = path

    @classmethod
    def parse(cls, content: bytes) -> JsonObject:
        """The object that is the whole of `content`."""
        return cls._from_value(parse_json(content), "it")

    @classmethod
    def parse_as_go(cls, content: bytes, names: Iterable[str]) -> JsonObject:
        """The object that `content` begins with, as programs in Go read what users write for them.

        Whatever follows it is left alone. `names` are found whatever letters of them are capital.
        Of members that are there twice, the last one counts.

        https://pkg.go.dev/encoding/json#Unmarshal
        """
        known = {each.lower(): each for each in names}

        def keep_last(pairs: list[tuple[str, object]]) -> dict[str, object]:
            return {known.get(name.lower(), name): value for name, value in pairs}

        decoder = json.JSONDecoder(object_pairs_hook=keep_last, **_NUMBERS)
        value = _parse(content, lambda text: decoder.raw_decode(text.lstrip(_SPACE))[0])
        return cls._from_value(value, "it")

    @classmethod
    def _from_value(cls, value: object, path: str) -> JsonObject:
        if not isinstance(value, dict):
            raise InvalidJsonError(path, "be a JSON object")
        return cls(value, path)

    def __contains__(self, key: str) -> bool:
        return self._members.get(key) is not None

    def text(self, key: str) -> str:
        """The text under `key`."""
        value = self._members.get(key)
        if not isinstance(value, str):
            raise InvalidJsonError(self._path_of(key), "be text")
        return value

    def optional_text(self, key: str) -> str | None:
        """The text under `key`, if there is any."""
        return (self.text(key) or None) if key in self else None

    def natural(self, key: str) -> int:
        """The number under `key`, zero or greater."""
        value = self._members.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidJsonError(self._path_of(key), "be a number of zero or more")
        return value

    def member(self, key: str) -> JsonObject:
        """The object under `key`."""
        return self._from_value(self._members.get(key), self._path_of(key))

    def __iter__(self) -> Iterator[str]:
        """The keys of its members, whatever these are."""
        return iter(self._members)

    def objects(self, key: str) -> tuple[JsonObject, ...]:
        """The objects in the array under `key`."""
        return tuple(
            self._from_value(value, f"{self._path_of(key)}[{position}]")
            for position, value in enumerate(self._array(key))
        )

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts in the array under `key`; none where there is no array."""
        values = self._array(key) if key in self else []
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            raise InvalidJsonError(self._path_of(key), "be an array of texts")
        return texts

    def text_pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """The object under `key`, all of whose values are text, as sorted pairs."""
        if key not in self:
            return ()
        parent = self.member(key)
        return tuple(sorted((name, parent.text(name)) for name in parent._members))

    def _array(self, key: str) -> list[object]:
        value = self._members.get(key)
        if not isinstance(value, list):
            raise InvalidJsonError(self._path_of(key), "be an array")
        return value

    def _path_of(self, key: str) -> str:
        return f"'{key}'" if self._path == "it" else f"{self._path}.'{key}'"
