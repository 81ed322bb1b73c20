"""Another way to the Docker Engine of the tests: a socket that passes everything on to it."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Optional

from tests.integration.workbench.required import docker_host

_UNIX = "unix://"
_CHUNK = 1 << 16


class EngineDoor:
    """Listens until it is closed. `visits` is how many connections came through."""

    def __init__(self, listener: socket.socket, tls: Optional[ssl.SSLContext] = None) -> None:
        assert docker_host().startswith(_UNIX), "these tests need an engine at a Unix socket"
        self.visits = 0
        self._listener = listener
        self._tls = tls
        listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @classmethod
    def at(cls, path: Path) -> EngineDoor:
        """A door at a Unix socket."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        return cls(listener)

    @classmethod
    def with_tls(cls, tls: ssl.SSLContext) -> EngineDoor:
        """A door at a port of this machine, which asks for what `tls` says."""
        return cls(socket.create_server(("127.0.0.1", 0)), tls)

    @property
    def port(self) -> int:
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
        with suppress(OSError), self._encrypted(connection) as client:
            self.visits += 1
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(docker_host()[len(_UNIX) :])
                _exchange(client, engine)

    def _encrypted(self, connection: socket.socket) -> socket.socket:
        if self._tls is None:
            return connection
        try:
            return self._tls.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            raise


def _exchange(client: socket.socket, engine: socket.socket) -> None:
    """Until one side ends. In one thread, because a connection with TLS is for one at a time."""
    while True:
        waiting = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if waiting else select.select([client, engine], [], [])[0]
        for source in ready:
            data = source.recv(_CHUNK)
            if not data:
                return
            (engine if source is client else client).sendall(data)
