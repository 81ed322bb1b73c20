"""What a registry can do wrong: answers that a fake one gives in place of the right one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler

Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers a request, or leaves the connection without an answer."""

_CHUNK = b"x" * 65536

_HELD_SECONDS = 50.0
"""Less than clients wait for an answer."""


def status(code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with a status and a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _drain(handler)
        handler.send_response(code)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def oci_error(code: int, error: str, message: str = "") -> Fault:
    """Answer with a status and an OCI error document."""
    document = f'{{"errors": [{{"code": "{error}", "message": "{message}"}}]}}'
    return status(code, document.encode(), {"Content-Type": "application/json"})


def content(body: bytes, **headers: str) -> Fault:
    """Answer 200 with this body, whatever was asked for; `_` in a header's name means `-`."""
    return status(200, body, {name.replace("_", "-"): value for name, value in headers.items()})


def redirect(location: str) -> Fault:
    """Send the client elsewhere."""
    return status(307, headers={"Location": location})


def truncated(body: bytes, promised: int, **headers: str) -> Fault:
    """Promise `promised` bytes and hang up after `body`."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def endless(**headers: str) -> Fault:
    """Send a body that does not end, until the client hangs up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(_CHUNK)
        except OSError:
            pass

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing until the client hangs up."""
    _drain(handler)
    handler.rfile.read(1)
    handler.close_connection = True


def slow(seconds: float) -> Fault:
    """Answer nothing for a while, and then hang up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def held(is_over: Callable[[], bool]) -> Fault:
    """Answer nothing until something has happened, and then hang up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        deadline = time.monotonic() + _HELD_SECONDS
        while not is_over() and time.monotonic() < deadline:
            time.sleep(0.005)
        handler.close_connection = True

    return answer


def _drain(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
