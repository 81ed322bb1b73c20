from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from pants_docker_buildkit.registry.settings import Patience, Reach
from pants_docker_buildkit.remote.web_content import (
    ContentChangedError,
    RemoteContentError,
    WebContents,
    has_credentials,
)
from pants_docker_buildkit.testing.http_server import handler_of, http_server

CONTENT = b"#!/bin/sh\n"
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MODIFIED = "Sat, 01 Aug 2026 00:00:00 GMT"


class Site:
    """A web server on this machine that gives one content, with these headers."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.refused: set[str] = set()
        self.requests: list[str] = []
        self.sent = 0
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[Site]:
        with http_server(handler_of(self.answer)) as address:
            self.url = f"{address}/tool"
            yield self

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(f"{handler.command} {handler.path}")
        if handler.command in self.refused:
            handler.send_error(405)
            return
        if handler.path == "/moved":
            handler.send_response(302)
            handler.send_header("Location", "/tool")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(200)
        for name, value in {**self.headers, "Content-Length": str(len(CONTENT))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(CONTENT)
            self.sent += 1


@pytest.fixture
def contents() -> WebContents:
    return WebContents(Reach(patience=Patience(attempts=1)))


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        pytest.param({"ETag": '"1"', "Last_Modified": MODIFIED}, 'ETag "1"', id="strong"),
        pytest.param(
            {"ETag": 'W/"1"', "Last_Modified": MODIFIED}, f"Last-Modified {MODIFIED}", id="weak"
        ),
        pytest.param({"Last_Modified": MODIFIED}, f"Last-Modified {MODIFIED}", id="date"),
    ],
)
def test_a_version_is_had_without_a_download(
    contents: WebContents, headers: dict[str, str], version: str
) -> None:
    with Site(**headers).running() as site:
        assert contents.version(site.url) == version
        assert site.requests == ["HEAD /tool"]


def test_a_server_that_knows_no_head_is_asked_by_get(contents: WebContents) -> None:
    with Site(ETag='"1"').running() as site:
        site.refused = {"HEAD"}
        assert contents.version(site.url) == 'ETag "1"'


def test_redirections_are_followed(contents: WebContents) -> None:
    with Site(ETag='"1"').running() as site:
        url = site.url.replace("tool", "moved")
        assert contents.version(url) == 'ETag "1"'
        assert contents.checksum(url, 'ETag "1"') == SHA256


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}, {"ETag": "1"}])
def test_a_server_without_versions_is_refused(
    contents: WebContents, headers: dict[str, str]
) -> None:
    with Site(**headers).running() as site, pytest.raises(RemoteContentError, match="strong ETag"):
        contents.version(site.url)


def test_what_is_not_there_is_said(contents: WebContents) -> None:
    with Site().running() as site:
        site.refused = {"HEAD", "GET"}
        with pytest.raises(RemoteContentError, match="HTTP 405"):
            contents.version(site.url)
    with pytest.raises(RemoteContentError, match="connection refused"):
        contents.version(site.url)


def test_the_checksum_is_that_of_the_version(contents: WebContents) -> None:
    with Site(ETag='"2"').running() as site:
        assert contents.checksum(site.url, 'ETag "2"') == SHA256
        with pytest.raises(ContentChangedError):
            contents.checksum(site.url, 'ETag "1"')


def test_encoded_content_is_refused(contents: WebContents) -> None:
    site = Site(ETag='"1"', Content_Encoding="gzip")
    with site.running(), pytest.raises(RemoteContentError, match=r"encoded \(gzip\)"):
        contents.checksum(site.url, 'ETag "1"')


def test_a_proxy_that_cannot_be_used_is_no_crash() -> None:
    contents = WebContents(Reach((("http_proxy", "socks5://proxy.example"),)))
    with pytest.raises(RemoteContentError, match="http_proxy"):
        contents.version("http://files.example/a")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://files.example/a?b=c@d", False),
        ("https://me:secret@files.example/a", True),
        ("https://token@files.example/a.git#main", True),
        ("ssh://git@git.example/a.git", False),
        ("ssh://git:secret@git.example/a.git", True),
        ("git@git.example:a.git", False),
        ("http://[", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, expected: bool) -> None:
    assert has_credentials(url) is expected
