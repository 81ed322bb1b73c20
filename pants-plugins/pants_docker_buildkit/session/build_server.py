"""A process that has all modules of the solver, and becomes a build for each that asks.

To start Python and import the solver takes more of the processor than buildx takes for a small
image. So it is done once in a Pants process that builds, while the first files are laid out.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

import pants_docker_buildkit
from pants_docker_buildkit.session.build_request import LEAVE, SERVE, SERVER_NAME
from pants_docker_buildkit.session.directory import (
    PACKAGE_ROOT,
    PROCESS_PATH,
    PROGRAM,
    SERVE_COMMAND,
)
from pants_docker_buildkit.session.unix_socket import short_path

# What is loaded on other systems does not all survive a fork.
_IS_SUPPORTED = sys.platform == "linux"
# Pants does not wait for a server that hangs, nor ends with one that has ended.
_SEND_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)


class BuildServer:
    """The process, for one session after the other.

    It ends with Pants, however that ends, and once no session has built for a while. Without it,
    because it cannot be started or was killed, each build starts a Python of its own. Nor is it
    started once the plugin is not what Pants has loaded, as where somebody switches branches: it
    would refuse builds long after they switched back.
    """

    def __init__(self) -> None:
        self._loaded_at = time.time()
        self._lock = threading.Lock()
        self._process: socket.socket | None = None

    def serve(self, directory: Path) -> None:
        """Have it in the session of this directory, started if need be.

        Returns before it is ready: who asks meanwhile waits for it.
        """
        path = directory / SERVER_NAME
        with self._lock:
            if _IS_SUPPORTED and not path.exists():
                # That no more threads may run is a `RuntimeError`.
                with suppress(OSError, RuntimeError):
                    self._serve(path)

    def leave(self) -> None:
        """The session ends, if it has one. Builds that the process has become go on."""
        with self._lock:
            if self._process is not None:
                with suppress(OSError):
                    self._process.send(LEAVE, _SEND_FLAGS)

    def close(self) -> None:
        """Let it end, as it does when this process ends."""
        with self._lock:
            if self._process is not None:
                self._process.close()
            self._process = None

    def _serve(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            with short_path(path) as short:
                listener.bind(short)
            listener.listen(128)
            if self._process is not None:
                with suppress(OSError):
                    _give(listener, self._process)
                    return
                # It has ended since, or hangs.
                self._process.close()
                self._process = None
            if _is_changed(self._loaded_at):
                return
            self._process = _start(path.with_name(PROGRAM))
            # Nobody closes what belongs to a graph of rules: Pants leaves that to the collector.
            weakref.finalize(self, self._process.close)
            _give(listener, self._process)


def _is_changed(since: float) -> bool:
    """Whether a process that starts now would load other modules than one that started then."""
    modules = (
        os.path.join(directory, name)
        for directory, _, names in os.walk(PACKAGE_ROOT / pants_docker_buildkit.__name__)
        for name in names
        if name.endswith(".py") and not name.endswith("_test.py")
    )
    return any(os.stat(each).st_ctime > since for each in modules)


def _give(listener: socket.socket, process: socket.socket) -> None:
    socket.send_fds(process, [SERVE], [listener.fileno()], _SEND_FLAGS)


def _start(program: Path) -> socket.socket:
    """Start the process, which hears of sessions at the other end of this socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [str(program), SERVE_COMMAND],
            # Its end tells it that nobody will ask any more.
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": PROCESS_PATH},
            # What a terminal interrupts is Pants, which ends its processes itself.
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()
    return ours
