"""A gate in a step of a build: whoever gets there waits until the test opens it.

So a build is in the middle of a step for as long as a test needs, however busy the machine is.
Steps ask the test itself, at the address of the engine's machine. A cache mount would not do:
BuildKit gives one that is in use a second place once any build without a cache has another.
"""

from __future__ import annotations

import threading
import uuid
from socketserver import BaseRequestHandler, ThreadingTCPServer

# By far more than any test needs: a step that nobody lets through fails.
_LOOKS = 6000


class Gate:
    """A gate in steps whose image has a shell and the programs of busybox."""

    def __init__(self) -> None:
        self._name = f"g{uuid.uuid4().hex[:12]}"
        is_open = self._is_open = threading.Event()

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(b"open\n" if is_open.is_set() else b"shut\n")

        server = ThreadingTCPServer(("0.0.0.0", 0), Handler)
        server.daemon_threads = True
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def step(self, command: str, *flags: str, first: str = "true") -> str:
        """An instruction that runs a command once the gate is open, and another one before."""
        ask = f"nc -w 5 $3 {self._port} </dev/null | grep -q open"
        look = f"n=$((n+1)); [ $n -lt {_LOOKS} ] || exit 1; sleep 0.1"
        wait = f"set -- $(ip route | grep ^default); n=0; until {ask}; do {look}; done"
        return " ".join(("RUN", *flags, f"{first}; {wait}; : {self._name}; {command}"))

    def open(self) -> None:
        """Let all through, now and later."""
        self._is_open.set()
