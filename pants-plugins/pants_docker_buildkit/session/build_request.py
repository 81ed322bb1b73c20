"""What build processes, their session and its build server say to each other.

Pants sends the server `SERVE` with the descriptor of a socket that listens in the directory of a
session, and `LEAVE` when that ends. A build process connects there. The server sends `ACCEPTED`
once somebody works for it, and the process one message: the working directory, the arguments of
`solver.main`, and the environment, with the descriptors of its standard output and error. The
server answers with the exit code. Whoever hangs up has ended. Nothing is imported here: a build
process starts faster than that.
"""

from __future__ import annotations

SERVER_NAME = "builds"
"""The socket, in the directory of the session. Its messages keep their bounds."""

ACCEPTED = b"accepted"

SERVE, LEAVE = b"serve", b"leave"

MAX_MESSAGE = 1 << 16
"""In bytes. A build whose message would be longer, for its environment, asks nobody."""


def render_request(
    directory: bytes, arguments: list[bytes], environment: dict[bytes, bytes]
) -> bytes:
    """The message for this working directory."""
    variables = [name + b"=" + value for name, value in environment.items()]
    head = [directory, b"%d" % len(arguments), *arguments]
    return b"\0".join([*head, *variables])


def parse_request(message: bytes) -> tuple[bytes, list[bytes], dict[bytes, bytes]]:
    """What `render_request` was given."""
    directory, count, *rest = message.split(b"\0")
    arguments, variables = rest[: int(count)], rest[int(count) :]
    pairs = (each.partition(b"=") for each in variables)
    return directory, arguments, {name: value for name, _, value in pairs}
