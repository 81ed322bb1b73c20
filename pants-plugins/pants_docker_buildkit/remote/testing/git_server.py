"""Git's own server of repositories, which only serves those who log in, or everybody."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from pants_docker_buildkit.testing.http_server import QuietHandler, http_server

USER, PASSWORD = "me", "hunter2"
_CREDENTIALS = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def credential_helper(directory: Path) -> str:
    """The configuration of Git of a user who can log in, by a program in `directory`."""
    program = directory / "git-helper"
    program.write_text(f"#!/bin/sh\necho username={USER}\necho password={PASSWORD}\n")
    program.chmod(0o755)
    return f"[credential]\nhelper = {program}\n"


@contextmanager
def serving(root: Path, watch: Callable[[str, bytes], None] | None = None) -> Iterator[str]:
    """The address at which the repositories below a directory can be fetched.

    With `watch`, by everybody: it is called with path and body of each request, before the answer.
    """

    class Handler(_Handler):
        directory = root
        is_asked = staticmethod(watch) if watch else None

    with http_server(Handler) as address:
        yield address


class _Handler(QuietHandler, BaseHTTPRequestHandler):
    """Runs `git http-backend`, which speaks CGI (RFC 3875)."""

    directory: Path
    is_asked: Callable[[str, bytes], None] | None

    def do_GET(self) -> None:
        logs_in = self.headers.get("Authorization") == f"Basic {_CREDENTIALS}"
        if not logs_in and self.is_asked is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.is_asked is not None:
            self.is_asked(self.path, body)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROJECT_ROOT": str(self.directory),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_LENGTH": str(len(body)),
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "REMOTE_USER": USER,
            },
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split(" ")[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()
