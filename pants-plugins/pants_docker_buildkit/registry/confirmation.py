"""Ask registries whether they still hold what records say, of many images at once.

A cached record is believed only after its digest was confirmed in this session. That is one HEAD
request for each image, and what it costs is waiting: so they are asked together, each once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    RegistryError,
    RegistryUnavailableError,
)

DEFAULT_POOL_SIZE = 16


@dataclass(frozen=True)
class Present:
    """The registry has the manifest."""

    descriptor: Descriptor


@dataclass(frozen=True)
class Missing:
    """The registry answered that it does not have the manifest."""


@dataclass(frozen=True)
class Unknown:
    """The registry could not be asked, so nothing is known."""

    error: RegistryError


Confirmation = Union[Present, Missing, Unknown]
"""What a registry says of one image."""


@dataclass(frozen=True)
class _Task:
    reference: ImageReference
    future: Future[Confirmation]


class ManifestConfirmations:
    """Asks registries for manifests, with a few threads, each manifest once.

    Threads are started when there is work and are daemons: a session that ends without `close`
    does not hang on a registry that does not answer. A registry that could not be reached is not
    asked again, or the wait for it would be paid for every image.
    """

    def __init__(
        self,
        find_client: Callable[[str], RegistryClient],
        pool_size: int = DEFAULT_POOL_SIZE,
    ) -> None:
        self._find_client = find_client
        self._pool_size = pool_size
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._futures: dict[ImageReference, Future[Confirmation]] = {}
        self._unreachable: dict[str, RegistryUnavailableError] = {}
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, reference: ImageReference) -> Future[Confirmation]:
        """What the registry says of `reference`, in the future. The same for the same reference."""
        with self._lock:
            future = self._futures.get(reference)
            if future is not None:
                return future
            future = self._futures[reference] = Future()
            if self._is_closed:
                future.cancel()
                return future
            self._tasks.put(_Task(reference, future))
            if len(self._threads) < self._pool_size:
                self._start_thread()
            return future

    def forget(self, reference: ImageReference) -> None:
        """Ask again next time, because the image was pushed meanwhile."""
        with self._lock:
            self._futures.pop(reference, None)

    def close(self) -> None:
        """Cancel what was not asked yet, and let the threads end. Does not wait for answers."""
        with self._lock:
            self._is_closed = True
            for future in self._futures.values():
                future.cancel()
            for _ in self._threads:
                self._tasks.put(None)

    def _start_thread(self) -> None:
        name = f"registry-confirmation-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                confirmation = self._confirm(task.reference)
            except BaseException as e:
                task.future.set_exception(e)
            else:
                task.future.set_result(confirmation)

    def _confirm(self, reference: ImageReference) -> Confirmation:
        known = self._unreachable.get(reference.registry)
        if known is not None:
            inquiry = Inquiry(reference.registry, f"look up {reference}")
            return Unknown(RegistryUnavailableError(inquiry, known.finding))
        client = self._find_client(reference.registry)
        manifest = reference.digest or reference.tag or ""
        try:
            descriptor = client.head_manifest(reference.repository, manifest)
        except RegistryUnavailableError as e:
            if e.refusal is None:
                self._unreachable[reference.registry] = e
            return Unknown(e)
        except RegistryError as e:
            return Unknown(e)
        return Missing() if descriptor is None else Present(descriptor)
