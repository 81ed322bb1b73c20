"""Real registries that do not let everybody in: with a password over TLS, or with tokens."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import json
import secrets
import string
import subprocess
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pants_docker_buildkit.registry.testing.certificates import CERTIFICATE, TestCertificates
from pants_docker_buildkit.testing.http_server import QuietHandler, answering
from tests.integration.workbench.registry import free_port, wait_for_port
from tests.integration.workbench.required import registry_program

TOKEN_REPOSITORY = "secured/app"
"""The only repository that tokens are for: they were signed once, with the key of the tests."""

_BASIC = """\
auth: {{htpasswd: {{realm: tests, path: {directory}/htpasswd}}}}
http: {{addr: "{address}", tls: {{certificate: {certificate}, key: {key}}}}}
"""
_TOKEN = """\
auth: {{token: {{realm: "{realm}", service: registry, issuer: tests, rootcertbundle: {ca}}}}}
http: {{addr: "{address}"}}
"""
_CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {directory}/content}}
  delete: {{enabled: true}}
"""


class SecureRegistry:
    """A process of one test. `content` is all that it stores."""

    def __init__(self, directory: Path, access: str, **values: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{free_port()}"
        self.content = directory / "content"
        settings = directory / "registry.yml"
        values = {"directory": str(directory), "address": self.address, **values}
        settings.write_text((_CONFIG + access).format(**values))
        self._directory = directory
        with open(directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [str(registry_program()), "serve", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.address)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class PasswordRegistry(SecureRegistry):
    """Wants a password, over TLS with the certificate of a private authority."""

    def __init__(self, directory: Path, username: str, password: str) -> None:
        directory.mkdir(parents=True)
        certificates = TestCertificates.write(directory)
        self.ca_file = certificates.ca_file
        self._passwords = directory / "htpasswd"
        self.change_password(username, password)
        files = {"certificate": certificates.certificate_file, "key": certificates.key_file}
        super().__init__(directory, _BASIC, **files)

    def change_password(self, username: str, password: str) -> None:
        """Let in nobody else from now on."""
        self._passwords.write_text(f"{username}:{_bcrypt(password)}\n")


def _bcrypt(password: str) -> str:
    """As htpasswd has it. Python 3.13 has no module for `crypt` of the C library any more."""
    letters = string.ascii_letters + string.digits
    # The last letter of a salt has few bits that count.
    salt = "$2b$04$" + "".join(secrets.choice(letters) for _ in range(21)) + "e"
    library = ctypes.CDLL(ctypes.util.find_library("crypt"))
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), salt.encode())
    return hashed.decode()


class TokenRegistry(SecureRegistry):
    """Wants a token, from a server that gives it for a password. `server` tells what it gave."""

    def __init__(self, directory: Path, username: str, password: str) -> None:
        directory.mkdir(parents=True)
        ca_file = TestCertificates.write(directory).ca_file
        self.server = _TokenServer(username, password)
        self._answering = ExitStack()
        self._answering.enter_context(answering(self.server))
        super().__init__(directory, _TOKEN, realm=self.server.url, ca=ca_file)

    def close(self) -> None:
        super().close()
        self._answering.close()


class _TokenServer(ThreadingHTTPServer):
    """Gives a token that the registry takes. `gives_expired` lets it give one that it does not."""

    daemon_threads = True

    def __init__(self, username: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _TokenHandler)
        self.password = password
        self.username = username
        self.gives_expired = False
        self.given: list[bool] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/token"

    def let_in(self, authorization: str | None) -> bool:
        pair = f"{self.username}:{self.password}".encode()
        return authorization == f"Basic {base64.b64encode(pair).decode()}"


class _TokenHandler(QuietHandler, BaseHTTPRequestHandler):
    server: _TokenServer

    def do_GET(self) -> None:
        is_known = self.server.let_in(self.headers.get("Authorization"))
        self.server.given.append(is_known)
        token = _EXPIRED if self.server.gives_expired else _LASTING
        body = json.dumps({"token": token.text, "expires_in": 3600}).encode() if is_known else b""
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.send_error(404)


class _SignedToken:
    """https://distribution.github.io/distribution/spec/auth/jwt/, signed with ES256 by the key of
    `TestCertificates`: `openssl dgst -sha256 -sign localhost.key`, in the form of a JWT.
    """

    def __init__(self, expires: int, signature: str) -> None:
        certificate = "".join(CERTIFICATE.splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
        claims = {
            "iss": "tests",
            "sub": "me",
            "aud": "registry",
            "exp": expires,
            "nbf": 1577836800,
            "iat": 1577836800,
            "jti": "1",
            "access": [
                {
                    "type": "repository",
                    "name": TOKEN_REPOSITORY,
                    "actions": ["pull", "push", "delete"],
                }
            ],
        }
        self.text = f"{_encoded(header)}.{_encoded(claims)}.{signature}"


def _encoded(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


_LASTING = _SignedToken(
    4733510400,
    "0uhoX6VD60ZA-ZcW3dQTlQESbIMDhuICveGp03rH9mnek-AthzETU5Z2pG0DXElNcibABrhFrlj2_MecTYq2ww",
)
_EXPIRED = _SignedToken(
    1577836801,
    "tXECB_r_i_lWa098R3EJ2MaYWFzPFLBI44KKqz5xQ-gQbXJVcTGJelw7ZCvalvyohPc7CxxhjPswdFh6GkOylA",
)
