"""Send one blob to a registry: mount it, or send it whole or in chunks.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.authentication import Scopes, repository_scopes
from pants_docker_buildkit.registry.channel import Call, Channel
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    RegistryUnavailableError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, resolve_location
from pants_docker_buildkit.registry.transport import OpenBody, Response

_ATTEMPTS = 3
_OCTETS = "application/octet-stream"


class _Session(NamedTuple):
    """Where the registry wants the next part of an upload; valid for that part only."""

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

    def mount(self, source_repository: str) -> bool:
        """Take the blob over from another repository; `False` where the registry declines."""
        session = self._start(source_repository)
        if session is None:
            return True
        self._cancel(session)
        return False

    def send(
        self,
        size: int,
        open_body: OpenBody,
        chunk_size: int | None,
        source_repository: str | None = None,
    ) -> bool:
        """Mount the blob or send its bytes. Gives whether they were sent.

        An upload that breaks is begun again: until its last request the registry keeps nothing.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            session = self._start(source_repository)
            if session is None:
                return False
            try:
                if chunk_size is None or size <= chunk_size:
                    self._finish(session, size, open_body)
                else:
                    last = self._send_chunks(session, open_body(), chunk_size)
                    self._finish(last, 0, None)
            except RegistryUnavailableError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

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

    def _finish(self, session: _Session, size: int, open_body: OpenBody | None) -> None:
        separator = "&" if "?" in session.target else "?"
        call = self._part(
            session,
            "PUT",
            f"{session.target}{separator}{urlencode({'digest': self._digest})}",
            {"Content-Length": str(size), "Content-Type": _OCTETS},
            open_body,
        )
        self._channel.ask(call).discard()

    def _send_chunks(self, session: _Session, body: Iterable[bytes], chunk_size: int) -> _Session:
        offset = 0
        for chunk in _in_pieces_of(chunk_size, body):
            headers = {
                "Content-Length": str(len(chunk)),
                "Content-Range": f"{offset}-{offset + len(chunk) - 1}",
                "Content-Type": _OCTETS,
            }
            call = self._part(session, "PATCH", session.target, headers, chunk)
            response = self._channel.ask(call)
            response.discard()
            session = self._next(call, response)
            offset += len(chunk)
        return session

    def _part(
        self,
        session: _Session,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | OpenBody | None,
    ) -> Call:
        return Call(
            self._inquiry,
            method,
            target,
            self._scopes,
            accepted=(200, 201, 202, 204),
            headers=headers,
            body=body,
            origin=session.origin,
            is_idempotent=False,
        )

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

    def _cancel(self, session: _Session) -> None:
        """Tell the registry that nothing will come; many do not know the request, which is fine."""
        headers = {"Content-Length": "0"}
        call = self._part(session, "DELETE", session.target, headers, None)
        self._channel.ask(call).discard()


def _in_pieces_of(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)
