"""Send one blob to a registry: mount it, or send its bytes.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlencode

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.authentication import Scopes, repository_scopes
from pants_docker_buildkit.registry.channel import Call, Channel
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    DeniedError,
    ForbiddenByRuleError,
    Inquiry,
    NameUnknownError,
    RegistryError,
    RegistryUnavailableError,
    RejectedError,
    UnauthorizedError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, resolve_location
from pants_docker_buildkit.registry.transport import OpenBody, Response

_ATTEMPTS = 3
_NO_MOUNT = (
    UnauthorizedError,
    DeniedError,
    NameUnknownError,
    ForbiddenByRuleError,
    RejectedError,
)
_OCTETS = "application/octet-stream"


class _Session(NamedTuple):
    """Where the registry wants an upload to go."""

    origin: Origin
    target: str


class BlobUpload:
    """The upload of one blob to one repository."""

    def __init__(
        self, channel: Channel, inquiry: Inquiry, repository: str, digest: OciDigest
    ) -> None:
        self._channel = channel
        self._inquiry = inquiry
        self._repository = repository
        self._digest = digest
        self._scopes: Scopes = repository_scopes(repository, "pull", "push")

    def send(
        self,
        size: int,
        open_body: OpenBody,
        source_repository: str | None = None,
    ) -> bool:
        """Mount the blob or send its bytes. Gives whether they were sent.

        An upload that breaks, or that the registry forgot, is begun again: until its last request
        it keeps nothing.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            session = self._mount_or_start(source_repository)
            if session is None:
                return False
            try:
                self._finish(session, size, open_body)
            except (RegistryUnavailableError, BlobUnknownError):
                if attempt == _ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

    def rehearse(self) -> None:
        """Begin the upload and cancel it, which not every registry does at once."""
        session = self._start(None)
        assert session is not None
        call = Call(
            self._inquiry,
            "DELETE",
            session.target,
            self._scopes,
            accepted=(200, 202, 204),
            origin=session.origin,
            is_idempotent=False,
        )
        with suppress(RegistryError):
            self._channel.ask(call).discard()

    def _mount_or_start(self, source_repository: str | None) -> _Session | None:
        """As `_start`. Who may not read the source may still write to the repository."""
        if source_repository is not None:
            with suppress(*_NO_MOUNT):
                return self._start(source_repository)
        return self._start(None)

    def _start(self, source_repository: str | None) -> _Session | None:
        """Begin an upload; none is needed where the blob could be mounted."""
        query = ""
        scopes = self._scopes
        if source_repository is not None:
            query = "?" + urlencode({"mount": self._digest, "from": source_repository})
            scopes = scopes | repository_scopes(source_repository, "pull")
        call = Call(
            self._inquiry,
            "POST",
            f"/v2/{self._repository}/blobs/uploads/{query}",
            scopes,
            accepted=(201, 202) if source_repository else (202,),
            headers={"Content-Length": "0"},
        )
        response = self._channel.ask(call)
        response.discard()
        return None if response.status == 201 else self._next(call, response)

    def _finish(self, session: _Session, size: int, open_body: OpenBody) -> None:
        separator = "&" if "?" in session.target else "?"
        call = Call(
            self._inquiry,
            "PUT",
            f"{session.target}{separator}{urlencode({'digest': self._digest})}",
            self._scopes,
            accepted=(200, 201, 202, 204),
            headers={"Content-Length": str(size), "Content-Type": _OCTETS},
            body=open_body,
            origin=session.origin,
            is_idempotent=False,
        )
        self._channel.ask(call).discard()

    def _next(self, call: Call, response: Response) -> _Session:
        location = response.header("Location")
        if location is None:
            raise UnexpectedResponseError(self._inquiry, "it does not say where to upload to")
        origin = call.origin or self._channel.origin
        try:
            next_origin, target = resolve_location(origin, call.target, location)
        except InvalidUrlError as e:
            raise UnexpectedResponseError(self._inquiry, f"it wants an upload to {e}") from e
        if next_origin.scheme == "http" and origin.scheme == "https":
            finding = f"it wants an upload to {next_origin}, unencrypted"
            raise UnexpectedResponseError(self._inquiry, finding)
        return _Session(next_origin, target)
