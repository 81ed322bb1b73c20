"""Get an access token from the server that a registry names.

https://distribution.github.io/distribution/spec/auth/token/ and .../spec/auth/oauth/
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.registry.challenge import Challenge
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import Refusal
from pants_docker_buildkit.registry.logins import LoginRefusedError
from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, parse_url
from pants_docker_buildkit.registry.redirects import RedirectError, send_and_follow
from pants_docker_buildkit.registry.transport import Request, Response, Transport, TransportError

_CLIENT_ID = "pants-docker-buildkit"
_DEFAULT_LIFETIME = 60
_LONGEST_LIFETIME = 24 * 3600
_MAX_TOKEN_SIZE = 1024 * 1024
_HTTP_PORT = 80
_NO_SUCH_METHOD = (404, 405)
_REFUSALS = (400, 401, 403)


class TokenServerError(Exception):
    """The token server cannot be used. Its text says why, without secrets."""


@dataclass(frozen=True)
class Token:
    """An access token, until it expires on the monotonic clock. Its repr does not show it."""

    value: str = field(repr=False)
    expires_at: float

    @property
    def authorization(self) -> str:
        """The `Authorization` header that carries this token."""
        return f"Bearer {self.value}"

    @property
    def is_fresh(self) -> bool:
        """Whether the token still is good for a request that starts now."""
        return time.monotonic() < self.expires_at


class TokenServer:
    """The server that gives tokens for one registry."""

    def __init__(self, transport: Transport, registry_origin: Origin, challenge: Challenge) -> None:
        self._transport = transport
        self._service = challenge.parameter("service")
        try:
            self._origin, self._target = parse_url(challenge.parameter("realm") or "")
        except InvalidUrlError as e:
            raise TokenServerError(f"the registry's token server is {e}") from e
        if registry_origin.scheme == "https" and self._origin.scheme == "http":
            if not _is_itself(registry_origin, self._origin):
                raise TokenServerError(
                    f"the registry wants credentials sent to {self._origin} without encryption"
                )
            self._origin = registry_origin

    def fetch(self, scopes: frozenset[str], credentials: Credentials | None) -> Token:
        """A new token for `scopes`; an anonymous one without credentials.

        Raises `LoginRefusedError` and `TokenServerError`.
        """
        try:
            response = self._request(sorted(scopes), credentials)
            body = response.read(_MAX_TOKEN_SIZE)
        except (TransportError, RedirectError) as e:
            raise TokenServerError(f"no token from {self._origin}: {e}") from e
        if response.status in _REFUSALS:
            if credentials and response.origin != self._origin:
                finding = f"it redirects to {response.origin}, which gets no credentials of ours"
                raise TokenServerError(f"no token from {self._origin}: {finding}")
            refusal = Refusal(response.status, message="its token server gives no token")
            raise LoginRefusedError(refusal)
        if response.status != 200:
            raise TokenServerError(f"no token from {self._origin}: HTTP {response.status}")
        return self._read_token(body)

    def _request(self, scopes: list[str], credentials: Credentials | None) -> Response:
        if credentials and credentials.identity_token:
            token = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}
            return self._post(scopes, token)
        response = self._get(scopes, credentials)
        if response.status in _NO_SUCH_METHOD and credentials and credentials.basic:
            response.discard()
            pair = {"username": credentials.username or "", "password": credentials.password or ""}
            return self._post(scopes, {"grant_type": "password", **pair})
        return response

    def _get(self, scopes: list[str], credentials: Credentials | None) -> Response:
        query = [("scope", scope) for scope in scopes]
        if self._service:
            query.append(("service", self._service))
        headers = {}
        if credentials and credentials.basic:
            query.append(("account", credentials.username or ""))
            headers["Authorization"] = credentials.basic
        separator = "&" if "?" in self._target else "?"
        target = f"{self._target}{separator}{urlencode(query)}"
        request = Request("GET", self._origin, target, headers, small=_MAX_TOKEN_SIZE)
        return send_and_follow(self._transport, request)

    def _post(self, scopes: list[str], grant: dict[str, str]) -> Response:
        form = {
            "service": self._service or "",
            "scope": " ".join(scopes),
            "client_id": _CLIENT_ID,
            **grant,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return self._transport.send(Request("POST", self._origin, self._target, headers, body))

    def _read_token(self, body: bytes) -> Token:
        try:
            answer = JsonObject.parse(body)
            value = answer.optional_text("token") or answer.text("access_token")
            lifetime = answer.natural("expires_in") if "expires_in" in answer else 0
        except InvalidJsonError as e:
            raise TokenServerError(f"no token from {self._origin}: its answer is not one") from e
        if not value.isascii() or not value.isprintable():
            raise TokenServerError(f"no token from {self._origin}: its answer is not one")
        lifetime = min(lifetime or _DEFAULT_LIFETIME, _LONGEST_LIFETIME)
        return Token(value, time.monotonic() + 0.9 * lifetime)


def _is_itself(registry: Origin, named: Origin) -> bool:
    """Whether a registry names itself, and does not know that a proxy before it speaks TLS."""
    return named.host == registry.host and named.port in (_HTTP_PORT, registry.port)
