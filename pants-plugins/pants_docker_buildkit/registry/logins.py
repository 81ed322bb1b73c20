"""Show credentials to a registry once: who comes often with a wrong password is locked out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import Refusal

_UNKNOWN = 401
"""The status that is about who we are. With 400 or 403, others of our requests may be allowed."""


class LoginRefusedError(Exception):
    """A registry, or its token server, does not take our credentials, as it says in `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class Logins:
    """What became of the credentials that one registry was shown. Any thread may use it."""

    def __init__(self) -> None:
        self._tried: set[Credentials] = set()
        self._refused: dict[Credentials, Refusal] = {}
        self._lock = threading.Lock()

    def are_refused(self, credentials: Credentials) -> bool:
        """Whether it is known that they are of no use."""
        return credentials in self._refused

    @contextmanager
    def attempt(self, credentials: Credentials | None) -> Iterator[bool]:
        """Show them to the server in the block: one thread alone first, then all at once.

        Gives whether it is that one. Raises `LoginRefusedError` where they were refused before; the
        block does where they are now.
        """
        if credentials is None:
            yield False
            return
        with self._lock:
            if credentials not in self._tried:
                # Also where the server gives no answer, for which the others would wait in turn.
                self._tried.add(credentials)
                try:
                    yield True
                except LoginRefusedError as e:
                    if e.refusal.status == _UNKNOWN:
                        self._refused[credentials] = e.refusal
                    raise
                return
        if credentials in self._refused:
            raise LoginRefusedError(self._refused[credentials])
        yield False
