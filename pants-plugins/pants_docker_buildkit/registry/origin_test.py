from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.origin import (
    InvalidUrlError,
    Origin,
    parse_url,
    resolve_location,
)
from pants_docker_buildkit.registry.settings import RegistrySettings

HERE = Origin("https", "reg.io", 443)


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://reg.io", HERE, "/"),
        ("https://reg.io:443/a?b=c#d", HERE, "/a?b=c"),
        ("http://Reg.io:5000/a", Origin("http", "reg.io", 5000), "/a"),
        ("http://[::1]:5000/a", Origin("http", "::1", 5000), "/a"),
        ("https://me:secret@reg.io/", HERE, "/"),
        ("https://reg.io/ä b|%20[x]?q=ü&%zz", HERE, "/%C3%A4%20b%7C%20[x]?q=%C3%BC&%zz"),
    ],
)
def test_parse_url_gives_server_and_target(url: str, origin: Origin, target: str) -> None:
    assert parse_url(url) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        *("", "reg.io/a", "ftp://reg.io/", "https:///a", "https://a:b:c/", "//r/"),
        *("https://r/\n", "https://r/\x7f", "https://r/%zz", "https://r/?a b", "https://ä/"),
    ],
)
def test_parse_url_refuses_what_cannot_be_followed(url: str) -> None:
    with pytest.raises(InvalidUrlError):
        parse_url(url)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/other?x=1", (HERE, "/other?x=1")),
        ("sibling", (HERE, "/v2/sibling")),
        ("//cdn.io/x", (Origin("https", "cdn.io", 443), "/x")),
        ("https://cdn.io/x", (Origin("https", "cdn.io", 443), "/x")),
        ("/ä".encode().decode("latin-1"), (HERE, "/%C3%A4")),
    ],
)
def test_a_location_may_be_relative(location: str, expected: tuple[Origin, str]) -> None:
    assert resolve_location(HERE, "/v2/here", location) == expected


def test_a_location_has_no_control_characters() -> None:
    with pytest.raises(InvalidUrlError):
        resolve_location(HERE, "/v2/here", "/a\x01")


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (HERE, "https://reg.io"),
        (Origin("http", "reg.io", 443), "http://reg.io:443"),
        (Origin("http", "::1", 5000), "http://[::1]:5000"),
    ],
)
def test_an_origin_prints_as_a_url(origin: Origin, text: str) -> None:
    assert str(origin) == text


def test_docker_hub_answers_on_another_host() -> None:
    origin = Origin.of_registry("docker.io", is_plain_http=False)
    assert origin == Origin("https", "registry-1.docker.io", 443)


@pytest.mark.parametrize(
    ("registry", "is_plain"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.10", True),
        ("[::1]:5000", True),
        ("registry.localhost:80", True),
        ("ghcr.io", False),
        ("10.0.0.1:5000", False),
        ("localhost.evil.io", False),
    ],
)
def test_only_this_machine_is_spoken_to_in_plain_http(registry: str, is_plain: bool) -> None:
    assert RegistrySettings().uses_plain_http(registry) is is_plain


def test_settings_decide_about_plain_http() -> None:
    assert RegistrySettings(is_plain_http=True).uses_plain_http("ghcr.io")
    assert not RegistrySettings(is_plain_http=False).uses_plain_http("localhost")
    assert not RegistrySettings(ca_file="ca.pem").uses_plain_http("localhost")
