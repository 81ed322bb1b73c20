"""A registry that is far away: a proxy on loopback that holds back every byte for a while.

    python3 -m bench.distance PORT TARGET_HOST TARGET_PORT

Standard input says how many milliseconds a round trip takes, a number each line, until it ends.
Each line is answered with how many connections and requests there were since the last one.

It delays bytes and knows nothing of HTTP, but for counting requests. A connection is made at once
here, so its first bytes wait for the round trip that a handshake takes over a real distance.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Optional

from bench.tools import CHECKOUT

_REQUEST = b" HTTP/1.1\r\n"


class _Distance:
    """How far the target is, and what came by."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.one_way = 0.0
        self.connections = 0
        self.requests = 0


class _Side(asyncio.Protocol):
    """One side of a connection. What it reads it writes to the other side, later."""

    def __init__(self, distance: _Distance) -> None:
        self._distance = distance
        self._other: _Side | None = None
        self._transport: asyncio.Transport | None = None
        self._handshake_ends = 0.0
        self._early: list[Callable[[_Side], None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._handshake_ends = loop.time() + 2 * self._distance.one_way

    def join(self, other: _Side) -> None:
        """Write to `other` what is read here, and what was read before there was another side."""
        self._other = other
        for act in self._early:
            act(other)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Hand it on after the time of one way, and not before the handshake."""
        self._distance.requests += data.count(_REQUEST)
        self._later(lambda other: other.write(data))

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """End the other side once it has all that was sent."""
        self._later(lambda other: other.close())

    def write(self, data: bytes) -> None:
        """Send bytes to whoever is on this side."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End this side."""
        if self._transport is not None:
            self._transport.close()

    def _later(self, act: Callable[[_Side], None]) -> None:
        loop = asyncio.get_running_loop()
        arrives = max(loop.time(), self._handshake_ends) + self._distance.one_way
        loop.call_at(arrives, self._do, act)

    def _do(self, act: Callable[[_Side], None]) -> None:
        if self._other is None:
            self._early.append(act)
        else:
            act(self._other)


class _Near(_Side):
    """The side of the client, which opens the other one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reach for the other side. Python 3.11 reads meanwhile, also where reading is paused."""
        super().connection_made(transport)
        self._distance.connections += 1
        assert isinstance(transport, asyncio.Transport)
        self._reaching = asyncio.get_running_loop().create_task(self._reach(transport))

    async def _reach(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, far = await loop.create_connection(
                lambda: _Side(self._distance), *self._distance.target
            )
        except OSError:
            transport.abort()
            return
        far.join(self)
        self.join(far)


async def _serve(port: int, host: str, target_port: int) -> None:
    loop = asyncio.get_running_loop()
    distance = _Distance(host, target_port)
    server = await loop.create_server(lambda: _Near(distance), "127.0.0.1", port, backlog=512)
    async with server:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(distance.connections, distance.requests, flush=True)
            distance.connections = distance.requests = 0
            distance.one_way = float(line) / 2000


@dataclass(frozen=True)
class Traffic:
    """What reached a registry."""

    connections: int
    requests: int


class FarRegistry:
    """A registry behind a distance, which can be changed. `address` is its host and port."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.address = address
        self._process = process

    def move(self, milliseconds: float) -> Traffic:
        """Let a round trip take this long from now on. Gives what came by since the last move."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{milliseconds}\n")
        self._process.stdin.flush()
        connections, requests = self._process.stdout.readline().split()
        return Traffic(int(connections), int(requests))


@contextmanager
def far_registry(registry: str, port: int) -> Iterator[FarRegistry]:
    """`registry` on another port of this machine, at first without a distance."""
    host, _, target_port = registry.rpartition(":")
    command = [sys.executable, "-m", "bench.distance", str(port), host, target_port]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        far = FarRegistry(process, f"127.0.0.1:{port}")
        far.move(0)
        yield far
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: Sequence[str]) -> None:
    """Hold bytes back until standard input ends."""
    port, host, target_port = arguments
    asyncio.run(_serve(int(port), host, int(target_port)))


if __name__ == "__main__":
    main(sys.argv[1:])
