"""Ask one registry: authenticated, redirected where it says so, refused with an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pants_docker_buildkit.registry.authentication import Authentication, Scopes
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    NameUnknownError,
    ProxyError,
    RegistryUnavailableError,
    TlsError,
    UnauthorizedError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.logins import LoginRefusedError
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.redirects import RedirectError, send_and_follow
from pants_docker_buildkit.registry.refusals import MakeError, read_refusal, refusal_error
from pants_docker_buildkit.registry.transport import (
    OpenBody,
    Request,
    Response,
    Transport,
    TransportError,
    UntrustedServerError,
    UnusableProxyError,
    UnusableTrustError,
)

_RENEWALS = 10
"""A token may expire while its request waits, because the registry wants to be asked less."""

_CORRECT_FILES = "Correct what '[docker-buildkit.registries]' says of this registry."


@dataclass(frozen=True)
class Call:
    """One thing to ask: the request, the scopes it needs, and the answers that are a success.

    A redirect that is one of these is not followed.

    `target` is a path below the registry, or with `origin` one on the server that the registry
    named for an upload. `small` is as in `Request`, and `absent` as for `refusal_error`.
    """

    inquiry: Inquiry
    method: str
    target: str = field(repr=False)
    scopes: Scopes
    accepted: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | OpenBody | None = field(default=None, repr=False)
    origin: Origin | None = None
    is_idempotent: bool = True
    small: int = 0
    absent: MakeError = NameUnknownError


class Channel:
    """Where one registry is and who we are to it. Any number of threads may share one."""

    def __init__(
        self, origin: Origin, transport: Transport, authentication: Authentication
    ) -> None:
        self.origin = origin
        self._transport = transport
        self._authentication = authentication

    @property
    def most_at_once(self) -> int:
        """How many requests may be on their way to the registry now."""
        return self._transport.most_at_once(self.origin)

    def ask(self, call: Call) -> Response:
        """The answer to `call`, which is one of those it accepts; any other raises."""
        try:
            response = self._ask_authorized(call)
        except UnusableTrustError as e:
            raise TlsError(call.inquiry, str(e), _CORRECT_FILES) from e
        except UntrustedServerError as e:
            raise TlsError(call.inquiry, str(e)) from e
        except UnusableProxyError as e:
            raise ProxyError(call.inquiry, str(e)) from e
        except TransportError as e:
            raise RegistryUnavailableError(call.inquiry, str(e)) from e
        except LoginRefusedError as e:
            identity = self._authentication.identity
            raise UnauthorizedError(call.inquiry, e.refusal, identity) from e
        if response.status in call.accepted:
            return response
        identity = self._authentication.identity
        writes = call.method not in ("GET", "HEAD")
        refusal = read_refusal(response)
        raise refusal_error(call.inquiry, refusal, identity, call.absent, writes=writes)

    def _ask_authorized(self, call: Call) -> Response:
        origin = call.origin or self.origin
        request = Request(
            *(call.method, origin, call.target, call.headers, call.body),
            is_idempotent=call.is_idempotent,
            small=call.small,
        )
        if origin != self.origin:
            # Another server, a blob store: the URL itself is what lets us in.
            return self._follow(call, request)
        authorization = self._authentication.authorize(call.scopes, call.inquiry)
        response = self._send(call, request, authorization)
        for attempt in range(_RENEWALS):
            if response.status != 401 or response.origin != self.origin:
                # Where a redirect led us, nobody may ask for our credentials.
                return response
            if attempt and not self._authentication.is_outdated(call.scopes, authorization):
                return response
            renewed = self._renew(call, response, authorization)
            if renewed is None:
                return response
            response.discard()
            authorization = renewed
            response = self._send(call, request, authorization)
        return response

    def _renew(self, call: Call, response: Response, authorization: str | None) -> str | None:
        try:
            return self._authentication.renew(response, call.scopes, call.inquiry, authorization)
        except BaseException:
            response.close()
            raise

    def _send(self, call: Call, request: Request, authorization: str | None) -> Response:
        authorized = _authorized(request, authorization)
        return self._authentication.send(authorization, lambda: self._follow(call, authorized))

    def _follow(self, call: Call, request: Request) -> Response:
        try:
            return send_and_follow(self._transport, request, call.accepted)
        except RedirectError as e:
            raise UnexpectedResponseError(call.inquiry, str(e)) from e


def _authorized(request: Request, authorization: str | None) -> Request:
    if authorization is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": authorization})
