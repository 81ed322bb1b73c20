"""Send a request to a server and give its answer, trying again where that is safe.

Knows HTTP and nothing of registries. It never adds credentials: whoever makes a `Request` decides
which server may see what.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead

from pants_docker_buildkit.registry.connections import Connection, Connections
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.pace import NoTurnError, Pace, Paces
from pants_docker_buildkit.registry.proxies import InvalidProxyError
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.registry.settings import Patience
from pants_docker_buildkit.registry.trust import UnusableFileError

OpenBody = Callable[[], Iterable[bytes]]
"""Opens the chunks of a request's body, once for each attempt."""

USER_AGENT = "pants-docker-buildkit"

_CHUNK_SIZE = 256 * 1024
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
_TRANSIENT_STATUSES = frozenset({408, _TOO_MANY, 500, 502, 503, 504})


class TransportError(Exception):
    """No whole answer was had. Its text says why, without secrets."""


class UntrustedServerError(TransportError):
    """TLS failed, which trying again does not mend."""


class UnusableTrustError(UntrustedServerError):
    """A setting of the server names a file that cannot be used."""


class UnusableProxyError(TransportError):
    """The way to the server leads through a proxy that cannot be used."""


class BodyTooLargeError(TransportError):
    """An answer's body is larger than what was asked for can be."""


class TransportClosedError(TransportError):
    """The session ended while a request was waiting, or others found that the server is lost."""

    def __init__(self, finding: str = "the session ended") -> None:
        super().__init__(finding)


@dataclass(frozen=True)
class Request:
    """A request to a server. One that is not idempotent is never sent twice.

    What it asks for is read at once if it has no more than `small` bytes: an answer that ends too
    early is as none.

    `headers` may carry credentials, so a repr does not show them, nor the query of a signed URL.
    """

    method: str
    origin: Origin
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | OpenBody | None = field(default=None, repr=False)
    is_idempotent: bool = True
    small: int = 0


class Response:
    """An answer. Its body must be read to the end, or the answer closed.

    `seconds` is how long it took from the request on a connection that was open.
    """

    def __init__(
        self, raw: HTTPResponse, connection: Connection, connections: Connections, seconds: float
    ) -> None:
        self.status = raw.status
        self.seconds = seconds
        self.origin = connection.origin
        self._raw = raw
        self._connection = connection
        self._connections = connections
        self._is_finished = False
        self._begun: list[bytes] = []
        self._rest: Iterator[bytes] | None = None
        if raw.length == 0:
            # There is no body, and `http.client` wants to be asked for it all the same.
            raw.read()
            self._release()

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return self._raw.headers.get(name)

    def header_values(self, name: str) -> list[str]:
        """The values of a header that may be there more than once."""
        return self._raw.headers.get_all(name) or []

    def read(self, limit: int) -> bytes:
        """The whole body, which may have no more than `limit` bytes."""
        parts = []
        received = 0
        for chunk in self.chunks():
            received += len(chunk)
            if received > limit:
                self.close()
                raise BodyTooLargeError(f"the answer has more than {limit} bytes")
            parts.append(chunk)
        return b"".join(parts)

    def begin(self, size: int) -> None:
        """Read the body as far as it has no more bytes. Raises `TransportError`, as `chunks`."""
        left = size
        # What is left for later must outlive this loop, which would close it.
        self._rest = self._unread()
        for chunk in self._rest:
            self._begun.append(chunk)
            left -= len(chunk)
            if left < 0:
                break

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces. Raises `TransportError` where it ends too early."""
        begun, self._begun = self._begun, []
        yield from begun
        yield from self._rest or self._unread()

    def _unread(self) -> Iterator[bytes]:
        if self._is_finished:
            return
        try:
            while chunk := self._raw.read(_CHUNK_SIZE):
                yield chunk
            if self._raw.length:
                raise IncompleteRead(b"", self._raw.length)
        except (OSError, HTTPException) as e:
            self.close()
            raise TransportError(_explain(e)) from e
        except GeneratorExit:
            self.close()
            raise
        self._release()

    def discard(self) -> None:
        """Drop the body: by reading it where it is short, so that the connection can be kept."""
        try:
            self.read(_CHUNK_SIZE)
        except TransportError:
            self.close()

    def close(self) -> None:
        """Drop the answer and its connection."""
        if self._is_finished:
            return
        self._is_finished = True
        self._raw.close()
        self._connection.http.close()

    def _release(self) -> None:
        self._is_finished = True
        if self._raw.will_close:
            self._connection.http.close()
        else:
            self._connections.give_back(self._connection)


@dataclass(frozen=True)
class _Before:
    """How many answers a server had given before a request: in all, and to the same method.

    Servers limit one method and not another, and one that does not answer at all has no methods.
    """

    answers: int
    to_method: int


@dataclass(frozen=True)
class _Loss:
    """A server did not answer, as often as there is patience for.

    `answers` is how many it had given by then: another one ends the loss.
    """

    answers: int
    finding: str
    at: float


class Transport:
    """Sends requests. Any number of threads may share one.

    There is patience with a server once, and not for each request: when one was refused as often
    as may be, others with its method are made once. Where there was no answer at all, none is made
    for a while.
    """

    def __init__(
        self, connections: Connections, patience: Patience, paces: Paces | None = None
    ) -> None:
        self._connections = connections
        self._patience = patience
        self._paces = paces or Paces()
        self._losses: dict[Origin, _Loss] = {}
        self._refusals: dict[tuple[Origin, str], int] = {}
        self._closed = threading.Event()

    def most_at_once(self, origin: Origin) -> int:
        """How many requests may be on their way to a server now."""
        return self._paces.of(origin).limit

    def send(self, request: Request) -> Response:
        """The answer to `request`, whatever its status is.

        An idempotent request is sent again, after a wait, when no answer comes or one that says to
        come back later; the last such answer is returned. That there are too many requests is said
        of all of them, so it counts less against one, unless a server says nothing else for long
        to those with this method.
        """
        pace = self._paces.of(request.origin)
        before = _before(request, pace)
        left, refusals_left = self._attempts(request, before)
        given_up_at = time.monotonic() + self._patience.longest_refusal
        for attempt in itertools.count(1):
            left -= 1
            wait = self._wait_after(attempt)
            try:
                response = self._exchange_in_turn(request, pace)
            except (UntrustedServerError, UnusableProxyError, TransportClosedError):
                raise
            except TransportError as e:
                if left <= 0:
                    self._lose(request, before, str(e))
                    raise
            else:
                if response.status == _TOO_MANY and refusals_left > 0:
                    refusals_left -= 1
                    before, given_up_at = self._refused_since(before, request, pace, given_up_at)
                    left = 0 if time.monotonic() >= given_up_at else left + 1
                asked_for = self._asked_wait(response)
                if asked_for is None or left <= 0:
                    self._refuse(request, before)
                    return response
                wait = asked_for or wait
                if asked_for or response.status == _TOO_MANY:
                    pace.pause(wait)
                response.discard()
            if self._closed.wait(wait):
                raise TransportClosedError
        raise AssertionError("the last attempt returns or raises")

    def _exchange_in_turn(self, request: Request, pace: Pace) -> Response:
        if callable(request.body):
            # It may be read from the same server while it is sent: two turns for one request.
            return self._exchange(request)
        try:
            pace.enter(self._closed)
        except NoTurnError as e:
            raise TransportClosedError(str(e)) from e
        seconds = None
        try:
            response = self._exchange(request)
            if response.status not in _TRANSIENT_STATUSES:
                seconds = response.seconds
            if response.status == 200 and request.small:
                response.begin(request.small)
        finally:
            pace.leave(request.method, seconds)
        return response

    def close(self) -> None:
        """Close idle connections and end the waits between attempts."""
        self._closed.set()
        self._connections.close()

    def _refused_since(
        self, before: _Before, request: Request, pace: Pace, given_up_at: float
    ) -> tuple[_Before, float]:
        """After how many answers a server refuses all with a method, and when it is given up."""
        if pace.answers_to(request.method) == before.to_method:
            return before, given_up_at
        return _before(request, pace), time.monotonic() + self._patience.longest_refusal

    def _wait_after(self, attempt: int) -> float:
        full: float = self._patience.first_wait * 2 ** (attempt - 1)
        return min(full, self._patience.longest_wait) * random.uniform(0.5, 1.0)

    def _asked_wait(self, response: Response) -> float | None:
        """How long the server wants to be left alone; `None` where trying again is no use."""
        if response.status not in _TRANSIENT_STATUSES:
            return None
        seconds = seconds_until(response.header("Retry-After"))
        return seconds if seconds <= self._patience.longest_wait else None

    def _attempts(self, request: Request, before: _Before) -> tuple[int, int]:
        """How often to send a request at most, and how often besides after "too many"."""
        loss = self._losses.get(request.origin)
        is_lost = loss is not None and loss.answers == before.answers
        if loss and is_lost and time.monotonic() < loss.at + self._patience.longest_wait:
            raise TransportClosedError(loss.finding)
        refused_after = self._refusals.get((request.origin, request.method))
        if is_lost or refused_after == before.to_method or not request.is_idempotent:
            return 1, 0
        return self._patience.attempts, self._patience.refusals

    def _lose(self, request: Request, before: _Before, finding: str) -> None:
        """Remember that a server does not answer, unless it did meanwhile."""
        pace = self._paces.of(request.origin)
        if _tells_of_server(request) and pace.answers == before.answers:
            self._losses[request.origin] = _Loss(before.answers, finding, time.monotonic())
            pace.lose(finding, before.answers)

    def _refuse(self, request: Request, before: _Before) -> None:
        """Remember that a server refuses all with this method, unless it took any meanwhile."""
        answers = self._paces.of(request.origin).answers_to(request.method)
        if _tells_of_server(request) and answers == before.to_method:
            self._refusals[request.origin, request.method] = answers

    def _exchange(self, request: Request) -> Response:
        if self._closed.is_set():
            raise TransportClosedError
        if not all(each.isascii() and each.isprintable() for each in request.headers.values()):
            # `http.client` would raise an error that quotes it, perhaps a password.
            raise TransportError("the credentials have characters that HTTP cannot send")
        try:
            connection = self._connections.take(request.origin)
            try:
                return self._exchange_on(connection, request)
            except _CLOSED:
                if not (connection.is_reused and request.is_idempotent):
                    raise
            # The server closed an idle connection just as we used it, which says nothing of it.
            return self._exchange_on(self._connections.open(request.origin), request)
        except InvalidProxyError as e:
            raise UnusableProxyError(str(e)) from e
        except UnusableFileError as e:
            raise UnusableTrustError(str(e)) from e
        except _CLOSED as e:
            raise TransportError(_explain(e)) from e
        except ssl.SSLError as e:
            raise UntrustedServerError(_explain(e)) from e
        except (OSError, HTTPException) as e:
            raise TransportError(_explain(e)) from e

    def _exchange_on(self, connection: Connection, request: Request) -> Response:
        headers = {"User-Agent": USER_AGENT, **request.headers}
        target = request.target
        if connection.proxy:
            target = f"{request.origin}{target}"
            if connection.proxy.authorization:
                headers["Proxy-Authorization"] = connection.proxy.authorization
        body = request.body() if callable(request.body) else request.body
        started = time.monotonic()
        try:
            # A server that refuses a body may say so, and hang up, before it has read it all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.http.request(request.method, target, body, headers)
            raw = connection.http.getresponse()
        except BaseException:
            connection.http.close()
            raise
        return Response(raw, connection, self._connections, time.monotonic() - started)


def _before(request: Request, pace: Pace) -> _Before:
    return _Before(pace.answers, pace.answers_to(request.method))


def _tells_of_server(request: Request) -> bool:
    """Whether it is sent more than once: what whoever asked begins again says little."""
    return request.is_idempotent and not callable(request.body)


def seconds_until(value: str | None) -> float:
    """How long to wait until what a `Retry-After` header says; no time if it says nothing.

    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, LookupError):
        # A date that no calendar has, of which Python says so in several ways.
        return 0.0


def _explain(error: Exception) -> str:
    """What went wrong, in words for somebody who does not know Python's exceptions."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, _CLOSED):
        return "the connection was closed"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {redact(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {redact(error.reason or str(error))}"
    if isinstance(error, IncompleteRead):
        return "the answer ended too early"
    if isinstance(error, OSError) and error.strerror:
        return redact(error.strerror)
    return redact(str(error) or type(error).__name__)
