"""Open connections to servers, directly or through a proxy, and keep them for the next request.

`http.client` and a list of idle connections rather than an HTTP library: confirming 1,000 images
takes 1,000 small requests while Pants' rules want the same interpreter, and urllib3 spends more
than twice the processor time on each.
"""

from __future__ import annotations

import select
import ssl
import threading
from collections import defaultdict, deque
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple

from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.pace import MOST_IN_FLIGHT
from pants_docker_buildkit.registry.proxies import Proxies, Proxy
from pants_docker_buildkit.registry.settings import Patience, RegistrySettings
from pants_docker_buildkit.registry.trust import create_tls_context

_MAX_IDLE = MOST_IN_FLIGHT
_MAX_HEADS = 10
_MAX_TRAILER_LINES = 100
_MAX_LINE = 64 * 1024


class _Answer(HTTPResponse):
    """An answer that ends: `http.client` limits lines, but not how many there are of some."""

    _heads = 0

    def _read_status(self) -> tuple[str, int, str]:
        # Called again for each head that says "100 Continue".
        self._heads += 1
        if self._heads > _MAX_HEADS:
            raise HTTPException("the answer does not begin")
        status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
        return status

    def _read_and_discard_trailer(self) -> None:
        for _ in range(_MAX_TRAILER_LINES):
            if self.fp.readline(_MAX_LINE).strip() == b"":
                return
        raise HTTPException("the answer does not end")


class _Plain(HTTPConnection):
    response_class = _Answer


class _Encrypted(HTTPSConnection):
    response_class = _Answer


class Connection(NamedTuple):
    """An open connection to `origin`.

    `is_reused` tells that the server may have closed it meanwhile. Through a proxy without a
    tunnel (`proxy` is set), requests name the whole URL.
    """

    http: HTTPConnection
    origin: Origin
    proxy: Proxy | None
    is_reused: bool = False


class Connections:
    """The connections of one registry's client, which any number of threads may share."""

    def __init__(self, settings: RegistrySettings, proxies: Proxies, patience: Patience) -> None:
        self._settings = settings
        self._proxies = proxies
        self._patience = patience
        self._idle: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._tls_context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self, origin: Origin) -> Connection:
        """A connection to `origin` that nobody else uses, an idle one if there is one.

        Raises `OSError` where none can be opened.
        """
        while (idle := self._take_idle(origin)) is not None:
            if _is_still_open(idle.http):
                return idle._replace(is_reused=True)
            idle.http.close()
        return self.open(origin)

    def open(self, origin: Origin) -> Connection:
        """A new connection to `origin`."""
        proxy = self._proxies.proxy_for(origin)
        http = self._create(origin, proxy)
        try:
            http.connect()
        except BaseException:
            http.close()
            raise
        if http.sock is not None:
            http.sock.settimeout(self._patience.read_timeout)
        return Connection(http, origin, None if origin.scheme == "https" else proxy)

    def give_back(self, connection: Connection) -> None:
        """Keep `connection`, whose last answer was read to its end, for another request."""
        with self._lock:
            idle = self._idle[connection.origin]
            if not self._is_closed and len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        connection.http.close()

    def close(self) -> None:
        """Close all idle connections; those in use are closed when they are given back."""
        with self._lock:
            self._is_closed = True
            idle = [each for connections in self._idle.values() for each in connections]
            self._idle.clear()
        for each in idle:
            each.http.close()

    def _take_idle(self, origin: Origin) -> Connection | None:
        with self._lock:
            idle = self._idle.get(origin)
            # The last one in: the others get a chance to time out.
            return idle.pop() if idle else None

    def _create(self, origin: Origin, proxy: Proxy | None) -> HTTPConnection:
        nearest = proxy.origin if proxy else origin
        timeout = self._patience.connect_timeout
        if origin.scheme == "http":
            if nearest.scheme == "http":
                return _Plain(nearest.host, nearest.port, timeout=timeout)
            return _Encrypted(nearest.host, nearest.port, timeout=timeout, context=self._context())
        http = _Encrypted(nearest.host, nearest.port, timeout=timeout, context=self._context())
        if proxy:
            authorization = proxy.authorization
            headers = {"Proxy-Authorization": authorization} if authorization else {}
            http.set_tunnel(origin.host, origin.port, headers)
        return http

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls_context is None:
                self._tls_context = create_tls_context(self._settings)
            return self._tls_context


def _is_still_open(http: HTTPConnection) -> bool:
    """Whether the server has neither closed an idle connection nor sent anything unasked."""
    if http.sock is None:
        return False
    poll = select.poll()
    poll.register(http.sock, select.POLLIN)
    return not poll.poll(0)
