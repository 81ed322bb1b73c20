"""Turn a registry's answer that is no success into the error that says so.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.registry.challenge import parse_challenges
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    DeniedError,
    ForbiddenByRuleError,
    Identity,
    Inquiry,
    ManifestUnknownError,
    NameUnknownError,
    PartsLostError,
    Refusal,
    RegistryError,
    RegistryUnavailableError,
    RejectedError,
    UnauthorizedError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.rules_of_registries import RegistryRule, find_rule
from pants_docker_buildkit.registry.transport import Response, TransportError, seconds_until

MakeError = Callable[[Inquiry, Refusal], RegistryError]
"""Makes the error for a refusal of what was asked."""

_MAX_ERROR_SIZE = 64 * 1024
_STATUSES_OF_RULES = (400, 403, 405, 409, 412, 413, 422, 507)
_PARTS_STATUSES, _PARTS_CODE = (400, 404), "MANIFEST_BLOB_UNKNOWN"
_LACKS_SCOPE = "insufficient_scope"
_BLOB_CODES = ("BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN")


def read_refusal(response: Response) -> Refusal:
    """What an answer that is no success says of itself."""
    challenges = parse_challenges(response.header_values("WWW-Authenticate"))
    lacks_scope = any(each.parameter("error") == _LACKS_SCOPE for each in challenges)
    wait = seconds_until(response.header("Retry-After"))
    return replace(_read_document(response), lacks_scope=lacks_scope, wait=wait)


def _read_document(response: Response) -> Refusal:
    try:
        body = response.read(_MAX_ERROR_SIZE)
    except TransportError:
        return Refusal(response.status)
    try:
        first = next(iter(JsonObject.parse(body).objects("errors")), None)
        code = first.optional_text("code") if first else None
        message = first.optional_text("message") if first else None
    except InvalidJsonError:
        # Not a registry's answer, perhaps a proxy's: its text is worth showing, its HTML is not.
        is_text = (response.header("Content-Type") or "text/plain").startswith("text/plain")
        return Refusal(response.status, None, body.decode(errors="replace") if is_text else None)
    return Refusal(response.status, code, message)


def refusal_error(
    inquiry: Inquiry,
    refusal: Refusal,
    identity: Identity | None,
    absent: MakeError = NameUnknownError,
    *,
    writes: bool = False,
) -> RegistryError:
    """The error for `refusal`, of a request that `writes` or only asks.

    `absent` makes that of a 404 with a code that is none of the specification's, as Harbor's.
    """
    status = refusal.status
    rule = find_rule(f"{refusal.code} {refusal.message}")
    if rule is None and writes and status == HTTPStatus.METHOD_NOT_ALLOWED:
        # Mirrors say so, and registries in their maintenance, of all that would change anything.
        rule = RegistryRule.READ_ONLY
    if rule is not None and status in _STATUSES_OF_RULES:
        return ForbiddenByRuleError(inquiry, refusal, rule)
    if status in _PARTS_STATUSES and refusal.code == _PARTS_CODE:
        return PartsLostError(inquiry, refusal)
    if status == 401 and not (refusal.lacks_scope and identity):
        return UnauthorizedError(inquiry, refusal, identity)
    if status in (401, 403):
        return DeniedError(inquiry, refusal, identity)
    if status == 404:
        return _not_found_error(inquiry, refusal, absent)
    if status == 429 or status >= 500:
        return RegistryUnavailableError(inquiry, str(refusal), refusal)
    if 400 <= status < 500:
        return RejectedError(inquiry, refusal)
    return UnexpectedResponseError(inquiry, str(refusal))


def _not_found_error(inquiry: Inquiry, refusal: Refusal, absent: MakeError) -> RegistryError:
    if refusal.code == "NAME_UNKNOWN":
        return NameUnknownError(inquiry, refusal)
    if refusal.code == "MANIFEST_UNKNOWN":
        return ManifestUnknownError(inquiry, refusal)
    if refusal.code in _BLOB_CODES:
        return BlobUnknownError(inquiry, refusal)
    if refusal.code is None:
        return UnexpectedResponseError(inquiry, str(refusal))
    return absent(inquiry, refusal)
