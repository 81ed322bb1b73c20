"""Say who we are to one registry: what goes into the `Authorization` header of a request."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

from pants_docker_buildkit.registry.challenge import Challenge, choose_challenge, parse_challenges
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import Credentials, FindCredentials
from pants_docker_buildkit.registry.errors import (
    CredentialsError,
    Identity,
    Inquiry,
    RegistryUnavailableError,
    UnauthorizedError,
)
from pants_docker_buildkit.registry.logins import LoginRefusedError, Logins
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.refusals import read_refusal
from pants_docker_buildkit.registry.token_server import Token, TokenServer, TokenServerError
from pants_docker_buildkit.registry.transport import Request, Response, Transport, TransportError

_SECONDS_BETWEEN_LOOKS = 10.0
"""A helper takes its time, and many images may need the credentials that it still has not got."""

_ROOT = "/v2/"
"""What each registry has, and everybody may see whom it knows."""

Scopes = frozenset[str]
"""What a token must allow, each as `repository:<name>:<action>,…`."""


def repository_scopes(repository: str, *actions: str) -> Scopes:
    """The scope of `actions` (`pull`, `push`, `delete`) in a repository."""
    return frozenset({f"repository:{repository}:{','.join(actions)}"})


class Authentication:
    """Our standing with one registry: how it wants to be convinced, and the tokens it gave.

    Nothing is sent before the registry has asked for it. What it asked for first is remembered, so
    that later requests are right at the first attempt, and each token is used until it expires.
    """

    def __init__(
        self, registry: str, origin: Origin, transport: Transport, find: FindCredentials
    ) -> None:
        self._registry = registry
        self._origin = origin
        self._transport = transport
        self._find = find
        self._challenge: Challenge | None = None
        self._credentials: Credentials | None = None
        self._are_credentials_known = False
        self._next_look = 0.0
        self._find_lock = threading.Lock()
        self._logins = Logins()
        self._demanded: dict[Scopes, Scopes] = {}
        self._tokens: dict[Scopes, Token] = {}
        self._lock = threading.Lock()
        self._scope_locks: defaultdict[Scopes, threading.Lock] = defaultdict(threading.Lock)

    @property
    def identity(self) -> Identity | None:
        """Whom the credentials in use stand for, for messages."""
        # Another thread may find meanwhile that there are none any more.
        credentials = self._credentials
        return credentials.identity if credentials else None

    def authorize(self, scopes: Scopes, inquiry: Inquiry) -> str | None:
        """The header for a request that needs `scopes`; none while the registry has not asked."""
        challenge = self._challenge
        if challenge is None:
            return None
        return self._meet(challenge, self._demanded.get(scopes, scopes), inquiry, refused=None)

    def renew(
        self, response: Response, scopes: Scopes, inquiry: Inquiry, refused: str | None
    ) -> str | None:
        """The header to try again with after a 401; none if nothing but `refused` is to be had."""
        challenge = choose_challenge(parse_challenges(response.header_values("WWW-Authenticate")))
        if challenge is None:
            return None
        self._challenge = challenge
        self._demanded[scopes] = scopes | challenge.scopes
        renewed = self._meet(challenge, self._demanded[scopes], inquiry, refused)
        return None if renewed == refused else renewed

    def is_outdated(self, scopes: Scopes, authorization: str | None) -> bool:
        """Whether this header has a token that is not the one of now, or has expired meanwhile."""
        token = self._tokens.get(self._demanded.get(scopes, scopes))
        return token is not None and not (token.is_fresh and token.authorization == authorization)

    def send(self, authorization: str | None, ask: Callable[[], Response]) -> Response:
        """The answer to a request that carries this header.

        Raises `LoginRefusedError` where the registry takes a password nowhere: some say with a 401
        that they do not take it for what is asked.
        """
        credentials = self._credentials
        if credentials is None or authorization is None or authorization != credentials.basic:
            return ask()
        with self._logins.attempt(credentials) as is_first:
            response = ask()
            is_refused = response.status == 401 and response.origin == self._origin
            if is_first and is_refused and self._is_refused_everywhere(authorization):
                raise LoginRefusedError(read_refusal(response))
            return response

    def _is_refused_everywhere(self, authorization: str) -> bool:
        headers = {"Authorization": authorization}
        try:
            response = self._transport.send(Request("GET", self._origin, _ROOT, headers))
        except TransportError:
            return False
        response.discard()
        return response.status == 401

    def _meet(
        self, challenge: Challenge, scopes: Scopes, inquiry: Inquiry, refused: str | None
    ) -> str | None:
        if challenge.scheme == "basic":
            credentials = self._current_credentials(inquiry)
            if credentials and (
                credentials.basic == refused or self._logins.are_refused(credentials)
            ):
                credentials = self._other_credentials(credentials, inquiry)
            return credentials.basic if credentials else None
        return self._token(challenge, scopes, inquiry, refused)

    def _token(
        self, challenge: Challenge, scopes: Scopes, inquiry: Inquiry, refused: str | None
    ) -> str:
        with self._lock:
            scope_lock = self._scope_locks[scopes]
        with scope_lock:
            token = self._tokens.get(scopes)
            if token is None or not token.is_fresh or token.authorization == refused:
                token = self._fetch(challenge, scopes, inquiry)
                self._tokens[scopes] = token
            return token.authorization

    def _fetch(self, challenge: Challenge, scopes: Scopes, inquiry: Inquiry) -> Token:
        credentials = self._current_credentials(inquiry)
        if credentials and credentials.registry_token:
            return Token(credentials.registry_token, float("inf"))
        try:
            server = TokenServer(self._transport, self._origin, challenge)
            try:
                with self._logins.attempt(credentials):
                    return server.fetch(scopes, credentials)
            except LoginRefusedError:
                others = self._other_credentials(credentials, inquiry)
                if others == credentials:
                    raise
                with self._logins.attempt(others):
                    return server.fetch(scopes, others)
        except LoginRefusedError as e:
            raise UnauthorizedError(inquiry, e.refusal, self.identity) from e
        except TokenServerError as e:
            raise RegistryUnavailableError(inquiry, str(e)) from e

    def _current_credentials(self, inquiry: Inquiry) -> Credentials | None:
        with self._find_lock:
            if not self._are_credentials_known:
                self._find_credentials(inquiry)
            return self._credentials

    def _other_credentials(
        self, refused: Credentials | None, inquiry: Inquiry
    ) -> Credentials | None:
        """The credentials as they are now: a short-lived token may have been renewed meanwhile."""
        with self._find_lock:
            # Another thread may just have found others, which takes a helper its time.
            if self._credentials == refused and time.monotonic() >= self._next_look:
                self._find_credentials(inquiry)
                if self._credentials == refused:
                    self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            return self._credentials

    def _find_credentials(self, inquiry: Inquiry) -> None:
        """With the lock."""
        try:
            self._credentials = self._find(self._registry)
        except CredentialsUnavailableError as e:
            raise CredentialsError(inquiry, str(e)) from e
        self._are_credentials_known = True
