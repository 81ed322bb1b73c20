from __future__ import annotations

from typing import Any

import pytest

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.util_rules.option_maps import named_entries, text_entries


def test_entries_are_sorted_by_name() -> None:
    assert named_entries("builders", {"b": {}, "a": 1}) == (("a", 1), ("b", {}))
    assert text_entries("mirrors", {"b": "x", "a": "y"}) == {"a": "y", "b": "x"}


@pytest.mark.parametrize("entries", [{1: "x"}, {"a": "x", 1: "y"}, {None: "x"}])
def test_a_name_that_is_no_text_is_an_error_of_the_option(entries: dict[Any, Any]) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        named_entries("verify", entries, "docker-buildkit-signatures")
    (name,) = (each for each in entries if not isinstance(each, str))
    assert str(raised.value) == (
        "The option `[docker-buildkit-signatures].verify` must have texts as names of its entries,"
        f" but one of them is {name}."
    )


def test_so_is_a_value_where_all_are_texts() -> None:
    with pytest.raises(InvalidOptionError) as raised:
        text_entries("mirrors", {"docker.io": 2})
    assert str(raised.value) == (
        "The option `[docker-buildkit].mirrors` must have a text for each of its names, but for"
        " 'docker.io' it has 2."
    )
