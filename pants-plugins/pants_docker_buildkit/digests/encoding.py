"""Which bytes stand for a value in a digest?

Every value is written as its tag, the decimal length of its payload in bytes, a colon and the
payload, so that no two values share an encoding and none is a prefix of another. `docs/digests.md`
describes the format byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NewType, Union

from blake3 import blake3

Encodable = Union[None, bool, int, str, bytes, "Sequence[Encodable]", "Mapping[str, Encodable]"]
"""What can be encoded. Of the sequences, only lists and tuples can."""

Blake3Digest = NewType("Blake3Digest", str)
"""`blake3:` followed by 64 lower-case hex characters. Neither a Pants `Digest` nor an OCI one."""


class UnencodableValueError(ValueError):
    """A value has no place in a digest."""

    def __init__(self, value: object, *, where: str) -> None:
        self.value = value
        self.where = where
        super().__init__(
            f"{where} must be None, a bool, an int, a str, bytes, a list or a map with str keys,"
            f" not {type(value).__name__}."
        )


class UnencodableTextError(ValueError):
    """A str holds a lone surrogate, which UTF-8 cannot express."""

    def __init__(self, text: str, *, where: str) -> None:
        self.text = text
        self.where = where
        super().__init__(f"{where} must be text that UTF-8 can express, not {text!r}.")


def encode(value: Encodable) -> bytes:
    """The canonical encoding of `value`.

    Lists and tuples are the same value, and so are all maps with the same items, whatever their
    order. `True` and `1` are different values.
    """
    return _encode(value, "The value")


def blake3_digest(encoding: bytes) -> Blake3Digest:
    """The BLAKE3 digest of an encoding, in the form in which we show and compare it."""
    return Blake3Digest(f"blake3:{blake3(encoding).hexdigest()}")


def _encode(value: object, where: str) -> bytes:
    if value is None:
        return b"n0:"
    if isinstance(value, bool):
        return b"t0:" if value else b"f0:"
    if isinstance(value, int):
        # `int.__repr__` and not `str`, because an `IntEnum` prints its name.
        return _tagged(b"i", int.__repr__(value).encode("ascii"))
    if isinstance(value, str):
        return _encode_text(value, where)
    if isinstance(value, bytes):
        return _tagged(b"b", value)
    if isinstance(value, (list, tuple)):
        items = (_encode(item, f"{where}[{index}]") for index, item in enumerate(value))
        return _tagged(b"l", b"".join(items))
    if isinstance(value, Mapping):
        return _encode_map(value, where)
    raise UnencodableValueError(value, where=where)


def _encode_map(value: Mapping[object, object], where: str) -> bytes:
    for key in value:
        if not isinstance(key, str):
            raise UnencodableValueError(key, where=f"A key of {where[:1].lower()}{where[1:]}")
    # Sorted by code point, which for UTF-8 is the order of the bytes as well.
    keys = sorted(str.__str__(key) for key in value if isinstance(key, str))
    return _tagged(
        b"m",
        b"".join(
            _encode_text(key, where) + _encode(value[key], f"{where}[{key!r}]") for key in keys
        ),
    )


def _encode_text(text: str, where: str) -> bytes:
    try:
        return _tagged(b"s", text.encode("utf-8"))
    except UnicodeEncodeError as e:
        raise UnencodableTextError(text, where=where) from e


def _tagged(tag: bytes, payload: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(payload), payload)
