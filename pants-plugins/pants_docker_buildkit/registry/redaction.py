"""Take secrets out of text that people will see."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")
_AUTHORIZATION = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\uffff]+")

_MAX_LENGTH = 300


def redact(text: str) -> str:
    """`text` from outside made fit for a message: one short line without credentials.

    User names and passwords in URLs, signatures in their queries, and anything that looks like the
    value of an `Authorization` header are left out.
    """
    line = _UNPRINTABLE.sub(" ", text).strip()
    line = _USER_INFO.sub("***@", line)
    line = _QUERY.sub(r"\1?***", line)
    line = _AUTHORIZATION.sub(r"\1 ***", line)
    return line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}…"
