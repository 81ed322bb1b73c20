"""A Docker Engine at a Unix socket that has images by name, and can be told to refuse tags."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pants_docker_buildkit.testing.http_server import answering, handler_of

_IMAGE = re.compile(r"/v[0-9.]+/images/(?P<reference>.+)/(?P<what>json|tag)")


class FakeEngine:
    """Speaks https://docs.docker.com/reference/api/engine/version/v1.44/ as far as it is asked.

    It has `images`, or each that it is asked for where `has_all`. `tags` are those that it set,
    each with its image, and `refusals` says by tag why it does not set others. `races` says by tag
    how often somebody else sets it at the same moment. Each of `connections` answered a request.
    """

    def __init__(self, socket: Path) -> None:
        self.host = f"unix://{socket}"
        self.images: set[str] = set()
        self.has_all = False
        self.tags: list[tuple[str, str]] = []
        self.refusals: dict[str, str] = {}
        self.races: Counter[str] = Counter()
        self.requests: list[str] = []
        self.connections: set[BaseHTTPRequestHandler] = set()
        self._socket = socket

    @contextmanager
    def running(self) -> Iterator[FakeEngine]:
        """Answer while the block runs."""
        handler = handler_of(self._answer)
        handler.protocol_version = "HTTP/1.1"
        with answering(_Server(str(self._socket), handler)):
            yield self

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.connections.add(handler)
        self.requests.append(f"{handler.command} {unquote(handler.path)}")
        status, answer = self._find(handler.path)
        body = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _find(self, target: str) -> tuple[int, dict[str, Any]]:
        url = urlsplit(target)
        if url.path == "/version":
            return 200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24"}
        image = _IMAGE.fullmatch(unquote(url.path))
        assert image, target
        reference = image["reference"]
        if not self.has_all and reference not in self.images:
            return 404, {"message": f"No such image: {reference}"}
        if image["what"] == "json":
            return 200, {"Id": "sha256:b"}
        values = parse_qs(url.query)
        tag = f"{values['repo'][0]}:{values['tag'][0]}"
        if tag in self.refusals:
            return 500, {"message": self.refusals[tag]}
        if self.races[tag] > 0:
            self.races[tag] -= 1
            return 500, {"message": f"failed to create an image {tag}: already exists"}
        self.tags.append((reference, tag))
        return 201, {}


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
