"""Could an image be pushed? Asked once for each repository of a session, before it is built.

A build may take long, and what keeps its image from being pushed is mostly known before: nobody is
logged in, the repository does not exist, the registry is not there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pants_docker_buildkit.registry.errors import (
    CredentialsError,
    DeniedError,
    ForbiddenByRuleError,
    NameUnknownError,
    ProxyError,
    RegistryError,
    RegistryUnavailableError,
    TlsError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    from pants_docker_buildkit.registry.client import RegistryClient

logger = logging.getLogger(__name__)

_REFUSALS = (UnauthorizedError, DeniedError, NameUnknownError, ForbiddenByRuleError)
_OUT_OF_REACH = (CredentialsError, ProxyError, TlsError)


class PushedKind(str, Enum):
    """What is pushed: an image, which is also asked for from here, or a cache of its builder."""

    IMAGE = "image"
    CACHE = "cache"


class PushedName(NamedTuple):
    """A repository that a build pushes to. `account` is the repository whose account it has."""

    kind: str
    registry: str
    repository: str
    account: str


class PushRehearsals:
    """Begins an upload to each repository, cancels it, and remembers what came of it."""

    def __init__(self, find_client: Callable[[str, str], RegistryClient]) -> None:
        self._find_client = find_client
        self._lock = threading.Lock()
        self._asked: dict[PushedName, Future[str | None]] = {}

    def find_problem(self, name: PushedName) -> str | None:
        """What would keep a build from pushing there, with what to do; `None` if nothing is known.

        Whoever asks first does the work, and all others wait for it.
        """
        mine: Future[str | None] = Future()
        with self._lock:
            future = self._asked.setdefault(name, mine)
        if future is mine:
            try:
                mine.set_result(self._ask(name))
            except BaseException as e:
                mine.set_exception(e)
        return future.result()

    def _ask(self, name: PushedName) -> str | None:
        where = f"{name.registry}/{name.repository}"
        try:
            self._find_client(name.registry, name.account).rehearse_upload(name.repository)
        except RegistryError as e:
            kind = PushedKind(name.kind)
            if _counts(e, kind):
                return f"Nothing was built, because the {kind.value} could not be pushed. {e}"
            logger.debug(f"Whether {where} takes uploads is not known: {e}")
        else:
            logger.debug(f"An upload to {where} can begin.")
        return None


def _counts(error: RegistryError, kind: PushedKind) -> bool:
    """Whether a build would fail for this, and not only a question at a bad moment.

    A cache is pushed by its builder alone, which may reach registries that we do not.
    """
    if isinstance(error, _REFUSALS):
        return True
    if kind is PushedKind.CACHE:
        return False
    if isinstance(error, RegistryUnavailableError):
        return error.refusal is None
    return isinstance(error, _OUT_OF_REACH)
