from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pants.base.build_root import BuildRoot

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.util_rules.option_values import (
    named_entries,
    option_path,
    text_entries,
)


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


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("certs/ca.pem", "ROOT/certs/ca.pem", id="in the repository"),
        pytest.param("../ca.pem", "PARENT/ca.pem", id="beside the repository"),
        pytest.param("/etc/ca.pem", "/etc/ca.pem", id="absolute"),
        pytest.param("~/ca.pem", "/home/me/ca.pem", id="at home"),
        pytest.param("~", "/home/me", id="home"),
        pytest.param("~you/ca.pem", "ROOT/~you/ca.pem", id="somebody else's home"),
    ],
)
def test_a_path_leads_to_one_place_wherever_pants_runs(
    tmp_path: Path, text: str, path: str
) -> None:
    with BuildRoot().temporary(str(tmp_path)):
        found = option_path(text, "/home/me")
    assert found == path.replace("ROOT", str(tmp_path)).replace("PARENT", str(tmp_path.parent))
