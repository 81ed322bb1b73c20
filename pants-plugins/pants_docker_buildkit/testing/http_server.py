"""HTTP servers in a thread of the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer

# How often one that is to end is looked for.
_POLL_SECONDS = 0.01


class QuietHandler(BaseHTTPRequestHandler):
    """Writes nothing of requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def handler_of(answer: Callable[[BaseHTTPRequestHandler], None]) -> type[QuietHandler]:
    """A handler that has requests of every kind answered."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_HEAD(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            answer(self)

    return Handler


class _Files(QuietHandler, SimpleHTTPRequestHandler):
    """Serves a directory, with `Last-Modified`."""


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    """Answer in a thread until the block ends, and close the server then."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def http_server(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server at a free port of this machine, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


def file_server(directory: Path) -> Callable[..., BaseHTTPRequestHandler]:
    """A handler that serves a directory."""
    return partial(_Files, directory=str(directory))
