"""A frontend for `# syntax=`, small enough to be made here: BuildKit's own, with one label more.

A frontend is an image whose program speaks gRPC with BuildKit on its standard input and output
(moby/buildkit `frontend/gateway`). This one calls `Solve` to hand the build to BuildKit's own
frontend, and `Return` with what that gives. A shell can do it: what is said is known beforehand,
and the message that is returned is the answer as it came, but for the number of its first field.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping

from tests.integration.workbench.base_image import move_tag

LABEL = "made-by"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_SOLVE, _RETURN = 1, 3
"""The streams of the two calls, RFC 9113."""

_FRONTEND, _OPTIONS, _ALLOW_RETURN = 2, 3, 5
"""Fields of `SolveRequest`. The result is field 3 of its answer, and field 1 of `ReturnRequest`."""

_CAPABILITIES = "LABEL moby.buildkit.frontend.caps=moby.buildkit.frontend.contexts"
"""Without it, BuildKit refuses named contexts."""

_PROGRAM = r"""
part() { dd bs=1 "$@" 2>/dev/null; }
frame() {
  set -- $(part count=9 | od -An -v -t u1)
  length=$(($1 * 65536 + $2 * 256 + $3)) size="$1 $2 $3" kind=$4 flags=$5 stream=$9
  part count=$length > /payload
}
cat /solve
while frame; [ $kind != 0 ]; do [ $kind$((flags & 1)) != 11 ] || exit 1; done
cat /return
printf "$(printf '\\%03o' $size 0 1 0 0 0 3)"
part if=/payload count=5
printf '\n'
part if=/payload skip=6
while frame; [ $stream != 3 ]; do :; done
"""


def push_frontend(
    tag: str, base: str, label: str, arguments: Mapping[str, str] | None = None
) -> None:
    """Let a tag stand for a frontend whose images have this value as a label.

    It builds for linux/amd64, with its own build arguments, and needs the shell of `base`.
    """
    files = {"solve": _solve(label, arguments or {}), "return": _headers(_RETURN, "Return")}
    files["frontend"] = _PROGRAM.encode()
    instructions = [
        f"RUN echo {base64.b64encode(content).decode()} | base64 -d > /{name}"
        for name, content in files.items()
    ]
    move_tag(tag, base, *instructions, _CAPABILITIES, 'ENTRYPOINT ["/bin/sh", "/frontend"]')


def _solve(label: str, arguments: Mapping[str, str]) -> bytes:
    options = {
        "cmdline": "own",
        "platform": "linux/amd64",
        f"label:{LABEL}": label,
        **{f"build-arg:{name}": value for name, value in arguments.items()},
    }
    message = _solve_request(options)
    return b"".join(
        (
            _PREFACE,
            _frame(_SETTINGS, 0, 0, b""),
            _headers(_SOLVE, "Solve"),
            _frame(_DATA, _END_STREAM, _SOLVE, b"\0" + struct.pack(">I", len(message)) + message),
        )
    )


def _headers(stream: int, method: str) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/moby.buildkit.v1.frontend.LLBBridge/{method}",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    encoded = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    return _frame(_HEADERS, _END_HEADERS, stream, encoded)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _solve_request(options: Mapping[str, str]) -> bytes:
    entries = (_field(1, key.encode()) + _field(2, each.encode()) for key, each in options.items())
    return b"".join(
        (
            _field(_FRONTEND, b"dockerfile.v0"),
            *(_field(_OPTIONS, entry) for entry in entries),
            bytes((_ALLOW_RETURN << 3, 1)),
        )
    )


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that is text, bytes or a message."""
    length, size = len(content), bytearray()
    while length >= 1 << 7:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((number << 3 | 2, *size, length)) + content


def _text(text: str) -> bytes:
    """A string of HPACK, RFC 7541, as it stands."""
    assert len(text) < 1 << 7 - 1
    return bytes((len(text),)) + text.encode()
