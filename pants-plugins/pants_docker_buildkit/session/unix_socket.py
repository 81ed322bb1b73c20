"""How a process asks the session that started it, and what answers there.

A Unix socket in the session's private directory. So what a session knows of this machine and of the
user's secrets is in the memory of Pants, and goes with it, even when it is killed. One line of JSON
with a list of texts asks, one line answers.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SOCKET_NAME = "socket"
TEMPORARY_PREFIX = "pdb-"
"""How the names begin of what is made in a directory for temporary files, where that has to be."""

_SECONDS_BETWEEN_LOOKS = 1.0
_MAX_QUESTION = 1 << 20
_LONGEST_PATH = 100
_PROC = Path("/proc")

_PASSING = frozenset(
    {errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPROTO}
)
"""Errors of `accept` after which there will be connections again (accept(2))."""

_PAUSE_SECONDS = 0.1

Answer = Callable[[Sequence[str]], Any]
"""Gives what a question is answered with, in terms of JSON. Raises `SessionProblemError`."""


class SessionProblemError(Exception):
    """A question that has no answer, and why, in words for the user."""


class NoSessionError(Exception):
    """There is no session in the directory, or it does not know what is asked for."""


def ask_session(directory: Path, *question: str) -> Any:
    """The answer of the session.

    Raises `SessionProblemError` where it tells why there is none, and `NoSessionError` where there
    is no session.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            with short_path(directory / SOCKET_NAME) as path:
                connection.connect(path)
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as reader:
                line = reader.readline()
        answer = json.loads(line)
    except (OSError, ValueError) as e:
        raise NoSessionError(str(directory)) from e
    if "problem" in answer:
        raise SessionProblemError(answer["problem"])
    if "answer" not in answer:
        raise NoSessionError(str(directory))
    return answer["answer"]


class SessionServer:
    """Answers in the directory of a session, from `start` until the directory goes away."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self._path = directory / SOCKET_NAME
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            with short_path(self._path) as path:
                self._listener.bind(path)
                os.chmod(path, 0o600)
            self._identity = _identity(self._path)
            self._listener.listen(128)
        except OSError:
            self._listener.close()
            raise

    def start(self) -> None:
        """Answer from now on, in threads that keep no process alive."""
        threading.Thread(target=self._serve, name="docker-buildkit-session", daemon=True).start()

    def _serve(self) -> None:
        self._listener.settimeout(_SECONDS_BETWEEN_LOOKS)
        with self._listener:
            while True:
                try:
                    connection = accept(self._listener)
                except socket.timeout:
                    if _identity(self._path) != self._identity:
                        return
                    continue
                except OSError:
                    return
                start_thread(self._talk, connection)

    def _talk(self, connection: socket.socket) -> None:
        # A process that was killed hangs up, which only ends its own question.
        with connection, suppress(OSError):
            connection.settimeout(None)
            with connection.makefile("rb") as reader:
                line = reader.readline(_MAX_QUESTION)
            connection.sendall(json.dumps(self._reply(line)).encode() + b"\n")

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            if not question or {type(each) for each in question} != {str}:
                return {}
        except (TypeError, ValueError):
            return {}
        try:
            return {"answer": self._answer(question)}
        except SessionProblemError as e:
            return {"problem": str(e)}
        except LookupError:
            return {}
        except Exception as e:
            # Whoever asked would take it that there is no session.
            logger.exception("A question of a process has no answer.")
            return {"problem": f"{type(e).__name__}: {e}"}


def accept(listener: socket.socket) -> socket.socket:
    """The next connection. Who connects waits while no more files may be open. Raises `OSError`."""
    while True:
        try:
            return listener.accept()[0]
        except OSError as e:
            if e.errno not in _PASSING:
                raise
        time.sleep(_PAUSE_SECONDS)


def start_thread(talk: Callable[..., None], *arguments: Any) -> None:
    """Have a connection talked on. Its other end waits while no more threads may run."""
    while True:
        with suppress(RuntimeError):
            threading.Thread(target=talk, args=arguments, daemon=True).start()
            return
        time.sleep(_PAUSE_SECONDS)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A path of a socket that systems take, while the block runs. Some take 100 characters.

    On Linux every process of the user may use it, without anything being made anywhere.
    """
    absolute = path.absolute()
    if len(os.fsencode(absolute)) <= _LONGEST_PATH:
        yield str(absolute)
    elif (opened := (_PROC / "self").resolve() / "fd").is_dir():
        # By the number that a process has in this `/proc`: it may be that of a host.
        descriptor = os.open(absolute.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield str(opened / str(descriptor) / absolute.name)
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as scratch:
            link = os.path.join(scratch, "s")
            os.symlink(absolute.parent, link)
            yield os.path.join(link, absolute.name)
