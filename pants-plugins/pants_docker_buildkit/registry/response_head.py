"""What does the head of an answer say?

`http.client` has its headers read by the parser of mails, which takes as long as all the rest of a
small request: 60 µs of the processor, a thousand times where a thousand images are confirmed.
"""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, UnknownProtocol
from typing import BinaryIO

_MAX_HEADS = 10
_MAX_LINES = 100
_MAX_LINE = 64 * 1024
_MAX_DIGITS = 20
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Headers:
    """The headers of an answer, by names that may be written in any case."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}

    @classmethod
    def read(cls, file: BinaryIO) -> Headers:
        """Up to the empty line that ends them. Raises `HTTPException` where there are too many.

        A line without a colon is no header, and says nothing. One that begins with white space goes
        on with the line before (https://www.rfc-editor.org/rfc/rfc9112#name-obsolete-line-folding).
        """
        headers = cls()
        values: list[str] = []
        for line in read_lines(file):
            if line[:1] in " \t":
                if values:
                    values[-1] = f"{values[-1]} {line.strip()}"
                continue
            name, colon, value = line.partition(":")
            if colon:
                values = headers._values.setdefault(name.lower(), [])
                values.append(value.strip())
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header."""
        values = self._values.get(name.lower())
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """All values of a header that may be there more than once."""
        return self._values.get(name.lower(), [])


def read_lines(file: BinaryIO) -> list[str]:
    """The lines before an empty one, of which `http.client` does not limit all."""
    lines = list[str]()
    while len(lines) <= _MAX_LINES:
        line = file.readline(_MAX_LINE + 1)
        if len(line) > _MAX_LINE:
            break
        if line in (b"\r\n", b"\n", b""):
            return lines
        lines.append(line.decode("iso-8859-1").rstrip("\r\n"))
    raise HTTPException("the answer does not end")


class Answer(HTTPResponse):
    """An answer that ends, and whose headers are read in a hurry."""

    headers: Headers  # type: ignore[assignment]

    def begin(self) -> None:
        """Read the head, unless it is read."""
        if self.headers is not None:
            return
        version, status, reason = self._read_final_head()
        if not version.startswith("HTTP/1."):
            raise UnknownProtocol(version)
        self.code = self.status = status
        self.reason = reason.strip()
        self.version = 10 if version == "HTTP/1.0" else 11
        self.chunked = (self.headers.get("Transfer-Encoding") or "").lower() == "chunked"
        self.chunk_left = None
        self.length = self._told_length()
        is_endless = self.length is None and not self.chunked
        self.will_close = is_endless or self._check_close()

    def _read_final_head(self) -> tuple[str, int, str]:
        """The status line after all that say "100 Continue", and the headers."""
        for _ in range(_MAX_HEADS):
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
            self.headers = Headers.read(self.fp)
            if status != HTTPStatus.CONTINUE:
                return version, status, reason
        raise HTTPException("the answer does not begin")

    def _told_length(self) -> int | None:
        """How long the body is; `None` where only its end tells."""
        has_body = self.status >= HTTPStatus.OK and self.status not in _WITHOUT_BODY
        if not has_body or self._method == "HEAD":  # type: ignore[attr-defined]
            return 0
        told = self.headers.get("Content-Length") or ""
        is_number = told.isascii() and told.isdigit() and len(told) < _MAX_DIGITS
        return int(told) if is_number and not self.chunked else None

    def _read_and_discard_trailer(self) -> None:
        read_lines(self.fp)
