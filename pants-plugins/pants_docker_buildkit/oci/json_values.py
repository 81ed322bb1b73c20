"""JSON → a value of a type of ours: the way back of `dataclasses.asdict`.

A document has a member for each field of a dataclass, those with a default perhaps not; what else
it has is not looked at. Annotations are evaluated, so that a field that may be `null` is
`Optional[…]`, which Python 3.9 understands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Protocol, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pants_docker_buildkit.oci.json_object import InvalidJsonError, parse_json

T = TypeVar("T")


class Writable(Protocol):
    """What has a document of its own."""

    def to_json(self) -> bytes:
        """The same bytes for equal values."""


W = TypeVar("W", bound=Writable)

_SCALARS: Mapping[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


def decode_json(kind: type[T], content: bytes) -> T:
    """The value of this type in a document from anywhere. Raises `InvalidJsonError`."""
    return decode(kind, parse_json(content))


def decode_written(kind: type[W], content: bytes) -> W:
    """The value whose `to_json` gave this, to the byte. Raises `InvalidJsonError`.

    What another version of the plugin wrote may say more, which would go unnoticed.
    """
    value = decode(kind, json.loads(content))
    if value.to_json() != content:
        raise InvalidJsonError("it", "be what this version of the plugin writes")
    return value


def prepare(*kinds: Any) -> None:
    """Read the hints of these types, and of those they consist of, which `decode` does only once.

    For a process whose forks decode.
    """
    for kind in kinds:
        parts: Iterable[Any] = get_args(kind)
        if hasattr(kind, "__dataclass_fields__"):
            parts = _hints(kind).values()
        prepare(*parts)


def decode(kind: type[T], document: object) -> T:
    """The value of this type that a document stands for. Raises `InvalidJsonError`.

    A type is a dataclass, a tuple, a mapping from texts, an enum, text, a number, a boolean, or
    `Any`, which is what the document has.
    """
    return cast("T", _decode(kind, document, ""))


def _decode(kind: Any, value: Any, path: str) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Union:
        (wanted,) = (each for each in arguments if each is not type(None))
        return None if value is None else _decode(wanted, value, path)
    if origin is tuple:
        return _decode_tuple(arguments, value, path)
    if origin is not None:
        members = _checked(value, (dict,), "a JSON object", path)
        return {key: _decode(arguments[1], members[key], _at(path, key)) for key in members}
    if is_dataclass(kind):
        return _decode_members(kind, value, path)
    if issubclass(kind, Enum):
        choices = {each.value: each for each in kind}
        if not isinstance(value, str) or value not in choices:
            raise _invalid(path, f"one of {', '.join(map(repr, choices))}")
        return choices[value]
    return kind(_checked(value, *_SCALARS[kind], path))


def _decode_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[object, ...]:
    items = _checked(value, (list, tuple), "an array", path)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(items)
    if len(items) != len(kinds):
        raise _invalid(path, f"an array of {len(kinds)}")
    return tuple(
        _decode(kind, each, f"{path}[{position}]")
        for position, (kind, each) in enumerate(zip(kinds, items))
    )


def _decode_members(kind: Any, value: Any, path: str) -> object:
    members = _checked(value, (dict,), "a JSON object", path)
    hints = _hints(kind)
    found = {
        each.name: _decode(hints[each.name], members[each.name], _at(path, each.name))
        for each in fields(kind)
        if each.name in members
    }
    try:
        return kind(**found)
    except TypeError as e:
        missing = next(each.name for each in fields(kind) if each.name not in found)
        raise _invalid(_at(path, missing), "there") from e


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, types: tuple[type, ...], what: str, path: str) -> Any:
    if type(value) not in types:
        raise _invalid(path, what)
    return value


def _at(path: str, key: str) -> str:
    return f"{path}.'{key}'" if path else f"'{key}'"


def _invalid(path: str, what: str) -> InvalidJsonError:
    return InvalidJsonError(path or "it", f"be {what}")
