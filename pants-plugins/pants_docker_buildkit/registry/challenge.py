"""What a server demands when it answers 401: the `WWW-Authenticate` header.

https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate and
https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ITEM = re.compile(
    r"(?P<name>[A-Za-z0-9!#$%&\'*+.^_`|~-]+)"
    r'(?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+)))?'
)


@dataclass(frozen=True)
class Challenge:
    """One way in: a scheme in lower case (`bearer` or `basic`) and its parameters."""

    scheme: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        """The value of a parameter."""
        return dict(self.parameters).get(name)

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes a token must have."""
        return frozenset((self.parameter("scope") or "").split())


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges in the `WWW-Authenticate` headers of an answer."""
    challenges: list[Challenge] = []
    for header in headers:
        schemes: list[tuple[str, list[tuple[str, str]]]] = []
        for item in _ITEM.finditer(header):
            name = item["name"].lower()
            value = item["plain"] if item["quoted"] is None else item["quoted"]
            if value is None:
                schemes.append((name, []))
            elif schemes:
                schemes[-1][1].append((name, re.sub(r"\\(.)", r"\1", value)))
        challenges += [Challenge(scheme, tuple(pairs)) for scheme, pairs in schemes]
    return tuple(challenges)


def choose_challenge(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to meet: tokens where they are offered, else user name and password."""
    known = {each.scheme: each for each in challenges}
    bearer = known.get("bearer")
    return bearer if bearer and bearer.parameter("realm") else known.get("basic")
