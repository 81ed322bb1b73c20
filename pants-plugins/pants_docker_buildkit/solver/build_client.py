"""The program of a build process: have the build server of the session build, or build here.

It imports nothing before it knows, not even `os`: that takes longer than all that it does. What is
imported has been in every Python since long before 3.9, compiled in or for `socket`.
"""

from __future__ import annotations

import _socket
import posix
import sys

from pants_docker_buildkit.session.build_request import (
    ACCEPTED,
    MAX_MESSAGE,
    SERVER_NAME,
    render_request,
)

_OUTPUT_AND_ERROR = b"".join(number.to_bytes(4, sys.byteorder) for number in (1, 2))
# What `solver/errors.py` has, which is not to be imported.
_INTERRUPTED = 130
_SIGKILL = 9

_ANSWER_SECONDS = 10.0
"""How long the server may take to say that somebody builds, which it starts for meanwhile."""


def run(session_directory: str, *arguments: str) -> int:
    """What `solver.main.main` does with these arguments. Gives the exit code of the process."""
    try:
        connection = _ask((session_directory, *arguments))
        if connection is not None:
            return _await_code(connection)
    except KeyboardInterrupt:
        return _INTERRUPTED
    from pants_docker_buildkit.solver.main import main

    return main(session_directory, *arguments)


def _ask(arguments: tuple[str, ...]) -> _socket.socket | None:
    """The connection to somebody who builds.

    Nobody does where nobody listens, or has had time for so long.
    """
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    encoded = [each.encode(encoding, errors) for each in arguments]
    # Bytes, which `os` decodes.
    message = render_request(posix.getcwdb(), encoded, posix.environ)
    if len(message) > MAX_MESSAGE:
        return None
    descriptors = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _OUTPUT_AND_ERROR)
    try:
        # macOS has no such sockets, nor a server.
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    except OSError:
        return None
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(f"{arguments[0]}/{SERVER_NAME}")
        if connection.recv(len(ACCEPTED)) == ACCEPTED:
            # Not before: while nobody takes what was sent, our output has not ended.
            connection.sendmsg([message], [descriptors])
            connection.settimeout(None)
            return connection
    except OSError:
        pass
    # Who comes to it later hears that nobody waits.
    connection.close()
    return None


def _await_code(connection: _socket.socket) -> int:
    """The exit code of the build. Where that is killed, this process ends in the same way."""
    while True:
        try:
            code = connection.recv(16)
            if code:
                return int(code)
        except OSError:
            pass
        except KeyboardInterrupt:
            # It is the build that ends: it has buildx to end, and files to remove.
            connection.shutdown(_socket.SHUT_WR)
            continue
        posix.kill(posix.getpid(), _SIGKILL)
