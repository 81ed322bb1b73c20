"""Whom a fake registry lets in, and how it wants to be convinced."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


class OpenAccess:
    """Everybody may do everything."""

    def challenge(self, authorization: str | None, base_url: str) -> str | None:
        """The `WWW-Authenticate` header to refuse with; `None` lets the request in."""
        return None


@dataclass
class BasicAccess:
    """A user name and a password."""

    username: str
    password: str

    def challenge(self, authorization: str | None, base_url: str) -> str | None:
        """Let in who knows the password."""
        return None if authorization == self.header else 'Basic realm="fake registry"'

    @property
    def header(self) -> str:
        """What a client must send."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


@dataclass
class TokenAccess:
    """Tokens from a server on the same port under `/token`, for a password or an identity token.

    Without `username`, anybody gets a token. Tokens are good for `uses` requests, and where it
    `gives_no_scope` for none, as those of somebody who may not do what he asks for. It says that
    they expire in `lifetime` seconds.
    """

    username: str | None = None
    password: str | None = None
    identity_token: str | None = None
    uses: int | None = None
    realm: str | None = None
    supports_get: bool = True
    gives_no_scope: bool = False
    lifetime: int = 300
    requests: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    _tokens: dict[str, int] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def challenge(self, authorization: str | None, base_url: str) -> str | None:
        """Let in who has a token that is still good."""
        with self._lock:
            scheme, _, token = (authorization or "").partition(" ")
            used = self._tokens.get(token)
            if scheme == "Bearer" and used is not None and (self.uses is None or used < self.uses):
                self._tokens[token] = used + 1
                if not self.gives_no_scope:
                    return None
        error = ',error="insufficient_scope"' if self.gives_no_scope else ""
        return f'Bearer realm="{self.realm or base_url + "/token"}",service="fake"{error}'

    def revoke_all(self) -> None:
        """Make every token worthless."""
        with self._lock:
            self._tokens.clear()

    def issue(
        self, method: str, target: str, body: bytes, authorization: str | None
    ) -> tuple[int, bytes]:
        """Answer the token server's part: status and body."""
        form = parse_qs(urlsplit(target).query if method == "GET" else body.decode())
        with self._lock:
            self.requests.append((method, form))
            if method == "GET" and not self.supports_get:
                return 405, b""
            if not self._is_known(method, form, authorization):
                return 401, b'{"errors": [{"code": "UNAUTHORIZED"}]}'
            token = f"token-{next(self._numbers)}"
            self._tokens[token] = 0
        return 200, json.dumps({"token": token, "expires_in": self.lifetime}).encode()

    def _is_known(
        self, method: str, form: Mapping[str, list[str]], authorization: str | None
    ) -> bool:
        if method == "GET":
            if self.username is None:
                return self.identity_token is None
            return authorization == BasicAccess(self.username, self.password or "").header
        grant = form.get("grant_type")
        if grant == ["refresh_token"]:
            return form.get("refresh_token") == [self.identity_token]
        return (form.get("username"), form.get("password")) == ([self.username], [self.password])
