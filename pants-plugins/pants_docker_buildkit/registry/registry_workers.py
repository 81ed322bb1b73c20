"""Ask each registry on as many threads as it takes requests at once, and on no more.

More would wait for their turn, and to wait and be woken costs about as much as a request. And where
each registry has threads of its own, none waits for another that does not answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.workers import Workers

_T = TypeVar("_T")


class RegistryWorkers:
    """A pool of threads for each registry, which grows as the registry turns out to be far away."""

    def __init__(self, name: str, find_client: Callable[[str, str], RegistryClient]) -> None:
        self._name = name
        self._find_client = find_client
        self._pools: dict[str, Workers] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(
        self, registry: str, repository: str, work: Callable[[RegistryClient], _T]
    ) -> Future[_T]:
        """What `work` gives, or raises, with the client of the repository, in the future."""
        pool = self._pools.get(registry) or self._create_pool(registry, repository)
        return pool.submit(partial(self._run, pool, registry, repository, work))

    def close(self) -> None:
        """Cancel what was not begun, and let the threads end. Does not wait for what was."""
        with self._lock:
            self._is_closed = True
            pools = list(self._pools.values())
        # Who waits hears of it here, and may ask another registry.
        for pool in pools:
            pool.close()

    def _create_pool(self, registry: str, repository: str) -> Workers:
        size = self._find_client(registry, repository).most_at_once
        with self._lock:
            if registry not in self._pools:
                self._pools[registry] = Workers(self._name, size)
                if self._is_closed:
                    self._pools[registry].close()
            return self._pools[registry]

    def _run(
        self,
        pool: Workers,
        registry: str,
        repository: str,
        work: Callable[[RegistryClient], _T],
    ) -> _T:
        client = self._find_client(registry, repository)
        try:
            return work(client)
        finally:
            pool.widen(client.most_at_once)
