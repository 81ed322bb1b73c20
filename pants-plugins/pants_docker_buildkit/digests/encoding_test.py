from __future__ import annotations

from enum import Enum, IntEnum
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.digests.encoding import (
    Encodable,
    UnencodableTextError,
    UnencodableValueError,
    blake3_digest,
    encode,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.binary())
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner)), max_leaves=12
)


def decode(encoding: bytes) -> tuple[Encodable, bytes]:
    """The first value in `encoding`, and what is left behind it."""
    head, _, rest = encoding.partition(b":")
    tag, length = head[:1], int(head[1:])
    assert head[1:] == b"%d" % length
    payload, rest = rest[:length], rest[length:]
    assert len(payload) == length
    if tag in b"ntf":
        assert not payload
        return {b"n": None, b"t": True, b"f": False}[tag], rest
    if tag == b"i":
        return int(payload), rest
    if tag == b"s":
        return payload.decode("utf-8"), rest
    if tag == b"b":
        return payload, rest
    items = []
    while payload:
        item, payload = decode(payload)
        items.append(item)
    if tag == b"l":
        return items, rest
    assert tag == b"m"
    keys = [key for key in items[::2] if isinstance(key, str)]
    assert keys == sorted(set(keys), key=lambda key: key.encode("utf-8"))
    return dict(zip(keys, items[1::2])), rest


def typed(value: Encodable) -> object:
    """`value`, with `True` and `1` told apart, which Python thinks equal."""
    if isinstance(value, (list, tuple)):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return type(value), value


@given(VALUES)
def test_encoding_can_be_decoded_so_that_no_two_values_share_one(value: Encodable) -> None:
    decoded, rest = decode(encode(value))
    assert typed(decoded) == typed(value)
    assert rest == b""


@given(VALUES, VALUES)
def test_different_values_have_different_encodings(one: Encodable, other: Encodable) -> None:
    assert (encode(one) == encode(other)) == (typed(one) == typed(other))


@given(VALUES, VALUES)
def test_no_encoding_is_the_beginning_of_another(one: Encodable, other: Encodable) -> None:
    assert encode(one) == encode(other) or not encode(one).startswith(encode(other))


@given(st.dictionaries(TEXT, SCALARS), st.randoms())
def test_order_of_a_map_does_not_matter(value: dict[str, Encodable], rng: Random) -> None:
    items = list(value.items())
    rng.shuffle(items)
    assert encode(dict(items)) == encode(value)


def test_lists_and_tuples_are_the_same_value() -> None:
    assert encode([1, [2]]) == encode((1, (2,)))


def test_members_of_enums_are_encoded_as_their_values() -> None:
    class Text(str, Enum):
        A = "a"

    class Number(IntEnum):
        ONE = 1

    assert encode([Text.A, Number.ONE]) == encode(["a", 1])
    assert encode({Text.A: 1}) == encode({"a": 1})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, r"^The value must be .*, not float\.$"),
        ({"a": [1, {2}]}, r"^The value\['a'\]\[1\] must be .*, not set\.$"),
        ({"a": {1: 2}}, r"^A key of the value\['a'\] must be .*, not int\.$"),
    ],
)
def test_value_without_encoding_is_refused_by_its_place(value: Encodable, message: str) -> None:
    with pytest.raises(UnencodableValueError, match=message):
        encode(value)


def test_text_that_utf8_cannot_express_is_refused() -> None:
    with pytest.raises(UnencodableTextError, match=r"The value\[0\] must be text"):
        encode(["\ud800"])


def test_digest_shows_its_algorithm() -> None:
    # The digest of no bytes, from the test vectors of BLAKE3.
    assert blake3_digest(b"") == (
        "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    )
