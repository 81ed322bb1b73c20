"""What does the local Docker Engine have? Asked with the Docker SDK, in threads of the session."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.registry.workers import Workers

_CONNECTIONS = 4
# The engine sets a tag that is there by deleting and creating it. Where two do so at once, as
# sessions of two checkouts, one of them finds it there again, or gone.
_TAG_ATTEMPTS = 8
_TAG_SECONDS = 0.05

OpenSocket = Callable[[], AbstractContextManager[str]]
"""The path of a Unix socket at which the engine answers, for as long as the block runs."""

TakeTurn = Callable[[], AbstractContextManager[bool]]
"""Waits until nobody else sets the tags, and gives whether they are to be set."""


@dataclass(frozen=True)
class LocalImage:
    """What an engine says of an image. `refused_tags` are those that it could not set, and why."""

    is_present: bool
    refused_tags: tuple[tuple[str, str], ...] = ()


class LocalEngineError(Exception):
    """The engine cannot be asked, and why, without credentials."""


class LocalEngine:
    """An engine that is looked for when there is a question. Any thread may ask.

    `where` it is, in words and without credentials.
    """

    def __init__(self, where: str, open_socket: OpenSocket) -> None:
        self.where = where
        self._open_socket = open_socket
        self._workers = Workers("local-engine", _CONNECTIONS)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._open = ExitStack()
        self._api: Optional[Any] = None
        self._is_closed = False

    def find(
        self,
        reference: str,
        tags: Iterable[str],
        take_turn: TakeTurn = lambda: nullcontext(enter_result=True),
    ) -> Future[LocalImage]:
        """Whether the engine has the image that `reference` pins.

        If so, the image gets `tags`, which are references with a tag: moving one costs nothing. The
        future raises `LocalEngineError`, or what the look for the engine raises.
        """
        return self._workers.submit(partial(self._find, reference, tuple(tags), take_turn))

    def close(self) -> None:
        """Close connections, and cancel what was not asked yet. Waits for nothing."""
        self._workers.close()
        with self._lock:
            self._is_closed = True
            self._open.close()
            self._api = None

    def _find(self, reference: str, tags: tuple[str, ...], take_turn: TakeTurn) -> LocalImage:
        # Only who has images in an engine needs it: it takes a tenth of a second to import.
        from docker.errors import DockerException, ImageNotFound

        refused = []
        try:
            api = self._connected()
            try:
                api.inspect_image(reference)
            except ImageNotFound:
                return LocalImage(is_present=False)
            with take_turn() as is_current:
                for tag in tags if is_current else ():
                    finding = _tag(api, reference, tag)
                    if finding is not None:
                        refused.append((tag, finding))
        # `requests` raises errors of the operating system.
        except (DockerException, OSError) as e:
            why = e.strerror if isinstance(e, OSError) else None
            raise LocalEngineError(redact(why or str(e))) from e
        return LocalImage(is_present=True, refused_tags=tuple(refused))

    def _connected(self) -> Any:
        from docker import APIClient

        # One thread opens it, the others wait for that; the end of the session does not.
        with self._opening, ExitStack() as opened:
            if self._known_api() is None:
                path = opened.enter_context(self._open_socket())
                with socket.socket(socket.AF_UNIX) as probe:
                    # The library does not close a socket that nobody answers at.
                    probe.connect(path)
                api = APIClient(f"unix://{path}", version="auto", max_pool_size=_CONNECTIONS)
                opened.callback(api.close)
                _share_connections(api)
                with self._lock:
                    if not self._is_closed:
                        self._api, self._open = api, opened.pop_all()
            return self._known_api()

    def _known_api(self) -> Any:
        """What was opened, if anything was yet. Raises `LocalEngineError` once it was closed."""
        with self._lock:
            if self._is_closed:
                raise LocalEngineError("the session ended")
            return self._api


def _share_connections(api: Any) -> None:
    """Have the library use a connection for more than one URL, of which each image has its own.

    One to an engine that is reached by SSH takes a second.
    """
    adapter = api.get_adapter(api.base_url)
    connections = adapter.get_connection(api.base_url)
    adapter.get_connection = lambda *_: connections


def _tag(api: Any, reference: str, tag: str) -> str | None:
    """Why an image cannot have a tag, without credentials; `None` if it has it now."""
    from docker.errors import APIError

    name, _, version = tag.rpartition(":")
    finding = None
    for _ in range(_TAG_ATTEMPTS):
        try:
            api.tag(reference, name, version)
        except APIError as e:
            finding = redact(e.explanation or str(e))
            time.sleep(random.uniform(0, _TAG_SECONDS))
        else:
            return None
    return finding
