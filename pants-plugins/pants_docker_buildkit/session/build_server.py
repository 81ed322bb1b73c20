"""A process that has all modules of the solver, and becomes a build for each that asks.

To start Python and import the solver takes more of the processor than buildx takes for a small
image. So it is done once in a session that builds, while the first files are laid out.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from pants_docker_buildkit.session.build_request import SERVER_NAME
from pants_docker_buildkit.session.directory import PROCESS_PATH, PROGRAM, SERVE_COMMAND
from pants_docker_buildkit.session.unix_socket import short_path

# What is loaded on other systems does not all survive a fork.
_IS_SUPPORTED = sys.platform == "linux"


class BuildServer:
    """Starts the process, which ends with the session, and with Pants however that ends.

    Without it, because it cannot be started or was killed, each build starts a Python of its own.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / SERVER_NAME
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Have it. Returns before it is ready: who asks meanwhile waits for it."""
        with self._lock:
            if _IS_SUPPORTED and not self._path.exists():
                with suppress(OSError):
                    self._start()

    def close(self) -> None:
        """Let it end. Builds that it has become go on."""
        with self._lock:
            for process in self._processes:
                assert process.stdin is not None
                process.stdin.close()
            self._processes.clear()

    def _start(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            with short_path(self._path) as path:
                listener.bind(path)
            listener.listen(128)
            number = listener.fileno()
            process = subprocess.Popen(
                [str(self._path.with_name(PROGRAM)), SERVE_COMMAND, str(number)],
                # Its end tells it that nobody will ask any more.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": PROCESS_PATH},
                pass_fds=(number,),
                # What a terminal interrupts is Pants, which ends its processes itself.
                start_new_session=True,
            )
        self._processes.append(process)
        threading.Thread(target=process.wait, daemon=True).start()
