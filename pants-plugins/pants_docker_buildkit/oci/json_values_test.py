from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Optional

import pytest

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.json_values import (
    _hints,
    decode,
    decode_json,
    decode_written,
    prepare,
)


class Color(str, Enum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    name: str
    count: int = 0


@dataclass(frozen=True)
class Tree:
    leaf: Leaf
    leaves: tuple[Leaf, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    color: Color = Color.RED
    seconds: Optional[float] = None
    is_old: bool = False
    more: Optional[Mapping[str, Leaf]] = None
    anything: Any = None


@pytest.mark.parametrize(
    "tree",
    [
        Tree(Leaf("a")),
        Tree(
            Leaf("ü", 3),
            (Leaf("b"), Leaf("c")),
            (("x", "1"),),
            seconds=0.5,
            is_old=True,
            more={"k": Leaf("d")},
            anything=[1, {"a": None}],
        ),
    ],
)
def test_what_asdict_gives_comes_back(tree: Tree) -> None:
    assert decode_json(Tree, json.dumps(asdict(tree)).encode()) == tree


def test_defaults_may_be_missing_and_other_members_may_be_there() -> None:
    assert decode(Tree, {"leaf": {"name": "a", "new": 1}, "schema": 2}) == Tree(Leaf("a"))


@dataclass(frozen=True)
class Note:
    text: str
    count: int = 0

    def to_json(self) -> bytes:
        return json.dumps({"schema": 1, **asdict(self)}).encode()


def test_what_is_written_is_read_back() -> None:
    assert decode_written(Note, Note("a", 1).to_json()) == Note("a", 1)


@pytest.mark.parametrize(
    "written",
    [
        {"schema": 2, "text": "a", "count": 0},
        {"schema": 1, "text": "a", "count": 0, "new": 1},
        {"schema": 1, "text": "a"},
        {"schema": 1, "text": 1, "count": 0},
    ],
)
def test_what_another_version_wrote_is_refused(written: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidJsonError):
        decode_written(Note, json.dumps(written).encode())


def test_whole_numbers_are_numbers() -> None:
    seconds = decode(Tree, {"leaf": {"name": "a"}, "seconds": 2}).seconds
    assert seconds == 2
    assert isinstance(seconds, float)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "it must be a JSON object"),
        ({}, "'leaf' must be there"),
        ({"leaf": {}}, "'leaf'.'name' must be there"),
        ({"leaf": {"name": 1}}, "'leaf'.'name' must be text"),
        ({"leaf": {"name": "a", "count": True}}, "'leaf'.'count' must be a whole number"),
        ({"leaf": {"name": "a"}, "leaves": {}}, "'leaves' must be an array"),
        ({"leaf": {"name": "a"}, "leaves": [1]}, "'leaves'[0] must be a JSON object"),
        ({"leaf": {"name": "a"}, "pairs": [["a"]]}, "'pairs'[0] must be an array of 2"),
        ({"leaf": {"name": "a"}, "pairs": [["a", 1]]}, "'pairs'[0][1] must be text"),
        ({"leaf": {"name": "a"}, "color": "blue"}, "'color' must be one of 'red'"),
        ({"leaf": {"name": "a"}, "color": []}, "'color' must be one of 'red'"),
        ({"leaf": {"name": "a"}, "seconds": "1"}, "'seconds' must be a number"),
        ({"leaf": {"name": "a"}, "is_old": 1}, "'is_old' must be true or false"),
        ({"leaf": {"name": "a"}, "more": {"k": 1}}, "'more'.'k' must be a JSON object"),
        ({"leaf": {"name": "a"}, "leaves": None}, "'leaves' must be an array"),
    ],
)
def test_an_error_says_where_and_what_must_hold(document: object, message: str) -> None:
    with pytest.raises(InvalidJsonError) as error:
        decode(Tree, document)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{\n "a": 1\n "s3cret": 2}', " (line 3: Expecting ',' delimiter)"),
        (b'{"s3cret": 1, "s3cret": 2}', " (a member is there twice)"),
        (b"\xff", ""),
    ],
)
def test_who_writes_a_document_hears_where_it_is_none(content: bytes, place: str) -> None:
    with pytest.raises(InvalidJsonError) as error:
        decode_json(Tree, content)
    assert str(error.value) == f"it must be JSON{place}"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": NaN}', b"1e999", b"[" * 100_000])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidJsonError, match="it must be JSON"):
        decode_json(Tree, content)


def test_what_is_prepared_needs_no_hints_to_be_read() -> None:
    prepare(Tree)
    missed = _hints.cache_info().misses
    decode(Tree, {"leaf": {"name": "a"}, "more": {"b": {"name": "b"}}})
    assert _hints.cache_info().misses == missed
