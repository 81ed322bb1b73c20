from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pants_docker_buildkit.options.table import (
    LONGEST_SECONDS,
    InvalidTableError,
    OptionTable,
)

TABLE = OptionTable(
    "registries.dev",
    {
        "text": "a",
        "empty": "",
        "number": 5,
        "texts": ["a", "b"],
        "yes": True,
        "typed": "False",
        "size": "20%",
        "table": {"b": 1.5, "a": True},
        "tables": [{"text": "a"}, "b"],
    },
)


def test_settings_are_read_as_what_they_must_be() -> None:
    assert (TABLE.text("text"), TABLE.required_text("text")) == ("a", "a")
    assert TABLE.texts("texts") == ("a", "b")
    assert (TABLE.boolean("yes"), TABLE.boolean("typed")) == (True, False)
    assert TABLE.seconds("number", 1) == 5
    assert (TABLE.size("size"), TABLE.size("number")) == ("20%", "5")
    assert TABLE.pairs("table") == (("a", "true"), ("b", "1.5"))
    assert OptionTable("t", {"of": [{"text": "a"}]}).tables("of")[0].text("text") == "a"


def test_settings_that_are_missing_are_none() -> None:
    assert not TABLE.has("other")
    assert (TABLE.text("other"), TABLE.boolean("other"), TABLE.size("other")) == (None,) * 3
    assert (TABLE.texts("other"), TABLE.pairs("other"), TABLE.tables("other")) == ((),) * 3
    assert TABLE.seconds("other", 7) == 7


def test_what_takes_for_ever_takes_a_number_of_seconds_that_clocks_have() -> None:
    assert OptionTable("", {"a": 10**30}).seconds("a", 1) == LONGEST_SECONDS < threading.TIMEOUT_MAX


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: TABLE.text("number"), ".number must be a text, but is 5."),
        (lambda: TABLE.text("empty", "the path of a file"), ".empty must be the path of a file"),
        (lambda: TABLE.required_text("other"), ".other must be a text, but it is missing."),
        (lambda: TABLE.texts("text"), '.text must be a list of texts, as ["one", "two"], but is'),
        (lambda: TABLE.boolean("number"), ".number must be true or false, but is 5."),
        (lambda: TABLE.seconds("yes", 1), ".yes must be a whole number of seconds above 0"),
        (lambda: TABLE.size("text"), '.text must be a size such as "10GB" or "20%", but is'),
        (lambda: TABLE.pairs("text"), ".text must be a table, as {name = \"value\"}, but is 'a'."),
        (lambda: TABLE.tables("tables"), '.tables[1] must be a table, as {name = "value"}'),
        (lambda: TABLE.only(["text"], " here"), " must only have the settings `text` here, but"),
    ],
)
def test_what_is_something_else_is_refused_with_its_path(
    read: Callable[[], Any], text: str
) -> None:
    with pytest.raises(InvalidTableError) as raised:
        read()
    assert str(raised.value).startswith(f"registries.dev{text}")
