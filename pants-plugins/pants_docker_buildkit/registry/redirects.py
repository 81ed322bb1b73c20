"""Follow the redirects of a server, and leave our credentials with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pants_docker_buildkit.registry.origin import InvalidUrlError, resolve_location
from pants_docker_buildkit.registry.transport import Request, Response, Transport

_MAX_REDIRECTS = 5
_STATUSES = (301, 302, 303, 307, 308)
_FOLLOWED_METHODS = ("GET", "HEAD")
_CREDENTIALS = "Authorization"


class RedirectError(Exception):
    """A redirect that is not followed. Its text says where "it redirects", without secrets."""


def send_and_follow(
    transport: Transport, request: Request, accepted: Collection[int] = ()
) -> Response:
    """The answer where redirects end.

    One that is `accepted`, or the answer to something else than a question, is not followed. Who
    is led to another server gets no credentials there. Raises `RedirectError`.
    """
    for _ in range(_MAX_REDIRECTS + 1):
        response = transport.send(request)
        location = response.header("Location")
        is_redirect = response.status in _STATUSES and location is not None
        is_wanted = is_redirect and response.status not in accepted
        if not is_wanted or request.method not in _FOLLOWED_METHODS:
            return response
        response.discard()
        request = _redirected(request, location or "")
    raise RedirectError("it redirects without end")


def _redirected(request: Request, location: str) -> Request:
    try:
        origin, target = resolve_location(request.origin, request.target, location)
    except InvalidUrlError as e:
        raise RedirectError(f"it redirects to {e}") from e
    if origin.scheme == "http" and request.origin.scheme == "https":
        raise RedirectError(f"it redirects to {origin}, unencrypted")
    headers = dict(request.headers)
    if origin != request.origin:
        headers.pop(_CREDENTIALS, None)
    return replace(request, origin=origin, target=target, headers=headers)
