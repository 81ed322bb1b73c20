from __future__ import annotations

import csv
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.buildx.attributes import (
    InvalidAttributesError,
    parse_cache_attributes,
    read_caches,
    read_ssh,
    render_attributes,
    render_values,
)

# What a key and a value may be made of: everything that a CSV record of one line can hold.
KEYS = st.text("abcdefghijklmnopqrstuvwxyz-.", min_size=1, max_size=8)
VALUES = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)


def test_attributes_keep_their_order() -> None:
    assert render_attributes([("type", "image"), ("push", "true")]) == "type=image,push=true"


def test_a_value_with_a_comma_is_quoted_with_its_key() -> None:
    names = render_values(["a/b:1", "c/d:2"])
    assert render_attributes([("type", "image"), ("name", names)]) == (
        'type=image,"name=a/b:1,c/d:2"'
    )


def test_a_quote_in_a_value_is_doubled() -> None:
    assert render_attributes([("id", 'a"b')]) == '"id=a""b"'


@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=5))
def test_rendered_attributes_are_read_back_as_they_were(pairs: list[tuple[str, str]]) -> None:
    (fields,) = csv.reader([render_attributes(pairs)])
    assert [tuple(field.split("=", 1)) for field in fields] == pairs


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        pytest.param(
            "ghcr.io/org/cache", {"type": "registry", "ref": "ghcr.io/org/cache"}, id="bare"
        ),
        pytest.param("type=gha", {"type": "gha"}, id="type-only"),
        pytest.param(
            "type=registry,ref=ghcr.io/org/cache,mode=max",
            {"type": "registry", "ref": "ghcr.io/org/cache", "mode": "max"},
            id="registry",
        ),
        pytest.param('type=local,"dest=a,b"', {"type": "local", "dest": "a,b"}, id="quoted-comma"),
        pytest.param("TYPE=inline", {"type": "inline"}, id="upper-case-key"),
        pytest.param("type=s3,token=a=b", {"type": "s3", "token": "a=b"}, id="equals-in-value"),
    ],
)
def test_cache_attributes_are_read_as_buildx_reads_them(
    text: str, attributes: dict[str, str]
) -> None:
    assert parse_cache_attributes(text) == attributes


@pytest.mark.parametrize(
    ("text", "caches"),
    [
        ("ghcr.io/org/a,ghcr.io/org/b", ("ghcr.io/org/a", "ghcr.io/org/b")),
        ("type=registry,ref=ghcr.io/org/a", ("type=registry,ref=ghcr.io/org/a",)),
        ("type=local,src=cache", ("type=local,src=/checkout/cache",)),
        ("mode=max,type=local,dest=/c", ("mode=max,type=local,dest=/c",)),
        ('type=local,"dest=a,b"', ('type=local,"dest=/checkout/a,b"',)),
    ],
)
def test_caches_are_read_one_by_one_with_the_paths_of_local_ones(
    text: str, caches: tuple[str, ...]
) -> None:
    assert read_caches(text, lambda path: posixpath.join("/checkout", path)) == caches


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(InvalidAttributesError, match="must be one record of comma-separated"):
        read_caches("a\nb", str)


@pytest.mark.parametrize(
    ("text", "ssh"),
    [
        ("default", "default"),
        ("default=", "default="),
        ("key=keys/a,/b", "key=/checkout/keys/a,/b"),
        ("key=a.sock,raw=true", "key=/checkout/a.sock,raw=true"),
    ],
)
def test_keys_for_ssh_have_absolute_paths(text: str, ssh: str) -> None:
    assert read_ssh(text, lambda path: posixpath.join("/checkout", path)) == ssh


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        pytest.param("", "not be empty", id="empty"),
        pytest.param("type=local,dest", "key=value pairs, unlike 'dest'", id="no-value"),
        pytest.param("ref=a,mode=max", "have a type, as in 'type=registry", id="no-type"),
    ],
)
def test_what_is_no_cache_is_refused_with_what_it_must_be(text: str, requirement: str) -> None:
    with pytest.raises(InvalidAttributesError, match=requirement):
        parse_cache_attributes(text)
