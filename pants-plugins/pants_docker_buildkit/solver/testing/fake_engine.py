"""A Docker Engine that knows one thing: `POST /grpc`, after which it echoes what it gets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pants_docker_buildkit.session.unix_socket import accept

ACCEPTED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
GREETING = b"what BuildKit says first"


@dataclass
class FakeEngine:
    """Listens on a Unix socket while it is `running`.

    `reply` is what it answers to an upgrade; with the first one it also sends `GREETING` in the
    same write, as HTTP/2 servers do. `heads` are the requests it got.
    """

    path: Path
    reply: bytes = ACCEPTED + GREETING
    heads: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The address, as `DOCKER_HOST` has it."""
        return f"unix://{self.path}"

    @contextmanager
    def running(self) -> Iterator[FakeEngine]:
        """Listen until the block ends."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield self
            listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection = accept(listener)
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A client that hangs up early only ends its own connection.
        with connection, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = connection.recv(1)
                if not byte:
                    return
                head += byte
            self.heads.append(head)
            connection.sendall(self.reply)
            while data := connection.recv(4096):
                connection.sendall(data)
