"""Another way to what listens elsewhere: a socket that passes everything on to it."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Optional

from tests.integration.workbench.required import docker_host

_UNIX = "unix://"
_CHUNK = 1 << 16
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Dial = Callable[[], socket.socket]


class Door:
    """Listens until it is closed. `visits` is how many connections came through.

    With `tls`, only those come through whom it accepts.
    """

    def __init__(
        self, listener: socket.socket, dial: Dial, tls: Optional[ssl.SSLContext] = None
    ) -> None:
        self.visits = 0
        self._listener = listener
        self._dial = dial
        self._tls = tls
        listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        """Of one at a port of this machine."""
        number: int = self._listener.getsockname()[1]
        return number

    def close(self) -> None:
        # Only a shutdown wakes the thread that waits in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, self._encrypted(connection) as client:
            self.visits += 1
            with self._dial() as there:
                _exchange(client, there)

    def _encrypted(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


def engine_door(path: Path) -> Door:
    """A door to the Docker Engine of the tests at a Unix socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    return Door(listener, _dial_engine)


def engine_door_with_tls(tls: ssl.SSLContext) -> Door:
    """The same at a port of this machine."""
    return Door(socket.create_server(("127.0.0.1", 0)), _dial_engine, tls)


def _dial_engine() -> socket.socket:
    assert docker_host().startswith(_UNIX), "these tests need an engine at a Unix socket"
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(docker_host()[len(_UNIX) :])
    return engine


def _exchange(client: socket.socket, there: socket.socket) -> None:
    """Until one side ends. In one thread, because a connection with TLS is for one at a time."""
    # What each side is still to be sent.
    waiting: dict[socket.socket, bytes] = {client: b"", there: b""}
    for side in waiting:
        side.settimeout(0)
    while True:
        if not (isinstance(client, ssl.SSLSocket) and client.pending()):
            writable = [side for side, content in waiting.items() if content]
            select.select([client, there], writable, [], 0.05 if writable else 1.0)
        for source, sink in ((client, there), (there, client)):
            if len(waiting[sink]) < _CHUNK:
                with suppress(*_NOT_NOW):
                    content = source.recv(_CHUNK)
                    if not content:
                        return
                    waiting[sink] += content
            if waiting[sink]:
                with suppress(*_NOT_NOW):
                    waiting[sink] = waiting[sink][sink.send(waiting[sink]) :]
