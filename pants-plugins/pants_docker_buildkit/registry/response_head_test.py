"""What a client takes from the heads of answers, well made and not."""

from __future__ import annotations

import io
from http.client import HTTPException, UnknownProtocol

import pytest

from pants_docker_buildkit.registry.response_head import Answer, Headers


class _Socket:
    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._received))


def _answer(received: bytes, method: str = "GET") -> Answer:
    answer = Answer(_Socket(received), method=method)  # type: ignore[arg-type]
    answer.begin()
    return answer


def test_headers_are_found_by_names_in_any_case() -> None:
    text = b"Content-Type: a\r\nWWW-Authenticate: Basic\r\nwww-authenticate:Bearer x=1 \r\n\r\nrest"
    headers = Headers.read(io.BytesIO(text))
    assert headers.get("content-TYPE") == "a"
    assert headers.get("WWW-Authenticate") == "Basic"
    assert headers.get_all("WWW-Authenticate") == ["Basic", "Bearer x=1"]
    assert headers.get("Link") is None
    assert headers.get_all("Link") == []


def test_a_line_that_goes_on_belongs_to_the_one_before() -> None:
    headers = Headers.read(io.BytesIO(b" lost\r\nLink: <a>;\r\n\t rel=next\r\nno header\r\n\r\n"))
    assert headers.get("Link") == "<a>; rel=next"


@pytest.mark.parametrize("head", [b"A: b\r\n" * 101, b"A: " + b"b" * 64 * 1024])
def test_a_head_without_an_end_is_an_error(head: bytes) -> None:
    with pytest.raises(HTTPException):
        Headers.read(io.BytesIO(head + b"\r\n"))


@pytest.mark.parametrize(
    ("head", "method", "length", "will_close"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3", "GET", 3, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3", "HEAD", 0, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close", "GET", 3, True),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0", "PUT", 0, False),
        ("HTTP/1.1 204 No Content", "DELETE", 0, False),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3", "GET", 0, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", "GET", None, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", "GET", None, False),
        ("HTTP/1.1 200 OK", "GET", None, True),
        ("HTTP/1.1 200 OK\r\nContent-Length: -3", "GET", None, True),
        (f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * 5000}", "GET", None, True),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3", "GET", 3, True),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive", "GET", 3, False),
    ],
)
def test_the_head_tells_where_the_answer_ends(
    head: str, method: str, length: int | None, will_close: bool
) -> None:
    answer = _answer(f"{head}\r\n\r\n".encode(), method)
    assert (answer.length, answer.will_close) == (length, will_close)


def test_the_body_is_what_its_head_says() -> None:
    assert _answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef").read() == b"abc"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\nz"
    assert _answer(chunked).read() == b"ab"


def test_heads_that_only_say_to_go_on_are_not_read_for_ever() -> None:
    with pytest.raises(HTTPException):
        _answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 11)


def test_another_protocol_is_refused() -> None:
    with pytest.raises(UnknownProtocol):
        _answer(b"HTTP/2 200 OK\r\n\r\n")
