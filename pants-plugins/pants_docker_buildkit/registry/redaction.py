"""Take secrets out of text that people will see."""

from __future__ import annotations

import re
from collections.abc import Iterable

# `docker-image://busybox@sha256:…` is the name of an image, which has no user.
_USER_INFO = re.compile(r"(?<=://)(?<!docker-image://)(?<!oci-layout://)[^/?#\s]+@")
_WORD = re.compile(r"[^\s'\"]+")
_AUTHORIZATION = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)

_MAX_LENGTH = 300
_SHORTEST_SECRET = 6


def redact_user_info(text: str) -> str:
    """`text` of any length and shape, without the user names and passwords of URLs in it."""
    return _USER_INFO.sub("***@", text)


def redact_urls(text: str) -> str:
    """`text` of any length and shape, without user names, passwords and queries of URLs in it.

    A query may be a signature that lets anybody read what the URL names.
    """
    return _WORD.sub(_without_query, redact_user_info(text))


def printable(text: str) -> str:
    """`text` in one line, without characters that a terminal obeys."""
    return "".join(each if each.isprintable() else " " for each in text)


def redact(text: str) -> str:
    """`text` from outside made fit for a message: one short line without credentials.

    User names and passwords in URLs, signatures in their queries, and anything that looks like the
    value of an `Authorization` header are left out.
    """
    line = redact_urls(printable(text).strip())
    line = _AUTHORIZATION.sub(r"\1 ***", line)
    return line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}…"


class HiddenValues:
    """Secrets that a program knows and may print. Each of their lines is a secret.

    Lines of less than six characters stay: without them nothing could be read any more.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        lines = {line.strip() for each in secrets for line in each.splitlines()}
        # One may be a part of another one.
        ordered = sorted(lines, key=lambda line: (-len(line), line))
        self._lines = tuple(line for line in ordered if len(line) >= _SHORTEST_SECRET)

    def hide(self, text: str) -> str:
        """`text` with stars in place of each."""
        for line in self._lines:
            text = text.replace(line, "***")
        return text


def _without_query(word: re.Match[str]) -> str:
    text = word[0]
    scheme = text.find("://")
    query = text.find("?", scheme) if scheme >= 0 else -1
    return f"{text[:query]}?***" if query >= 0 else text
