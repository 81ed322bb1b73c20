"""Ask what URLs and Git repositories give now, each once in a session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.remote.git_commit import find_commit
from pants_docker_buildkit.remote.web_content import WebContents


class RemoteLookups:
    """Asks in a few threads of its own. Futures raise `RemoteContentError`.

    `attempt` makes it another question: what was asked before may have changed since.
    """

    def __init__(self, reach: Reach) -> None:
        self._environment = dict(reach.environment)
        self._contents = WebContents(reach)
        self._workers = Workers("remote-sources")
        self._futures: dict[tuple[str, ...], Future[str]] = {}
        self._lock = threading.Lock()

    def version(self, url: str, attempt: int) -> Future[str]:
        """As `WebContents.version`, in the future."""
        work = partial(self._contents.version, url)
        return self._once(("version", url, str(attempt)), work)

    def commit(self, url: str, reference: str, ssh: tuple[str, ...] = ()) -> Future[str]:
        """As `find_commit`, in the future."""
        work = partial(find_commit, url, reference, self._environment, ssh)
        return self._once(("commit", url, reference, *ssh), work)

    def close(self) -> None:
        """Cancel what was not asked yet, and close connections. Waits for nothing."""
        self._workers.close()
        self._contents.close()

    def _once(self, question: tuple[str, ...], work: Callable[[], str]) -> Future[str]:
        with self._lock:
            future = self._futures.get(question)
            if future is None:
                future = self._futures[question] = self._workers.submit(work)
            return future
