"""A web server on this machine, which builds and Pants both reach."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from pants_docker_buildkit.registry.transport import USER_AGENT
from pants_docker_buildkit.testing.http_server import handler_of, http_server


class WebSite:
    """Gives what is in `pages`, or in files below `root`, and remembers who asked for what."""

    def __init__(self, root: Path | None = None, *, has_versions: bool = True) -> None:
        self.pages: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.before_builder: Callable[[], None] = lambda: None
        """What happens just before the builder gets an answer."""
        self._root = root
        self._has_versions = has_versions
        self._server = ExitStack()
        self.url = self._server.enter_context(http_server(handler_of(self._answer)))

    def close(self) -> None:
        self._server.close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        is_ours = handler.headers.get("User-Agent") == USER_AGENT
        who = "pants" if is_ours else "builder"
        self.requests.append(f"{who} {handler.command} {handler.path}")
        if not is_ours:
            self.before_builder()
        content = self._content(handler.path.partition("?")[0])
        if content is None:
            handler.send_error(404)
            return
        handler.send_response(200)
        if self._has_versions:
            handler.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    def _content(self, path: str) -> bytes | None:
        if path in self.pages or self._root is None:
            return self.pages.get(path)
        file = self._root / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None
