"""Ask registries whether they still hold what records say, of many images at once.

A cached record is believed only after its digest was confirmed in this session. That is one HEAD
request for each image, and what it costs is waiting: so they are asked together, each once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import Purpose, RegistryClient
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    RegistryError,
    RegistryUnavailableError,
)
from pants_docker_buildkit.registry.late_answers import ask_again
from pants_docker_buildkit.registry.layer_check import LayerCheck
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers


@dataclass(frozen=True)
class Present:
    """The registry has the manifest. `at` is when it said so, on the monotonic clock."""

    descriptor: Descriptor
    at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class Missing:
    """The registry answered that it does not have the manifest. `at` is as for `Present`."""

    at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class Unknown:
    """The registry could not be asked, so nothing is known."""

    error: RegistryError


Confirmation = Union[Present, Missing, Unknown]
"""What a registry says of one image."""


class ManifestConfirmations:
    """Asks registries for manifests, each once.

    A registry that could not be reached is not asked again, or the wait for it would be paid for
    every image. With `layers`, an image is present with all of its layers only.
    """

    def __init__(
        self,
        find_client: Callable[[str, str], RegistryClient],
        layers: LayerCheck | None = None,
    ) -> None:
        self._layers = layers
        self._workers = RegistryWorkers("registry-confirmation", find_client)
        self._futures: dict[tuple[ImageReference, Purpose], Future[Confirmation]] = {}
        self._unreachable: dict[str, RegistryUnavailableError] = {}
        self._lock = threading.Lock()

    def submit(
        self, reference: ImageReference, purpose: Purpose = Purpose.READ
    ) -> Future[Confirmation]:
        """What the registry says of `reference`, in the future. The same for the same reference."""
        with self._lock:
            return self._submit(reference, purpose)

    def submit_tagged(self, image: ImageReference, tag: ImageReference) -> None:
        """Ask for an image by a tag of its repository that named it when it was seen last.

        One answer tells of both. Where the tag names another image now, this one is asked for.
        """
        with self._lock:
            if self._layers is not None or (image, Purpose.READ) in self._futures:
                return
            named = self._submit(tag, Purpose.MOVE)
            future: Future[Confirmation] = Future()
            self._futures[image, Purpose.READ] = future
        # Perhaps at once, and then it takes the lock.
        named.add_done_callback(partial(self._tell_by_tag, image, future))

    def submit_pushed(self, reference: ImageReference) -> Future[Confirmation]:
        """The same of an image that was pushed meanwhile, whatever was said of it before.

        A registry that does not show it yet is asked again a little later.
        """
        with self._lock:
            future = self._ask(reference, partial(self._confirm_pushed, reference))
            for purpose in Purpose:
                self._futures[reference, purpose] = future
            return future

    def close(self) -> None:
        """Cancel what was not asked yet, and let the threads end. Does not wait for answers."""
        self._workers.close()

    def _submit(self, reference: ImageReference, purpose: Purpose) -> Future[Confirmation]:
        """With the lock."""
        future = self._futures.get((reference, purpose))
        if future is None:
            future = self._ask(reference, partial(self._confirm, reference, purpose))
            self._futures[reference, purpose] = future
        return future

    def _tell_by_tag(
        self, image: ImageReference, future: Future[Confirmation], named: Future[Confirmation]
    ) -> None:
        answer = None if named.cancelled() or named.exception() else named.result()
        if isinstance(answer, Present) and answer.descriptor.digest == image.digest:
            _finish(future, named)
        else:
            asked = self._ask(image, partial(self._confirm, image, Purpose.READ))
            asked.add_done_callback(partial(_finish, future))

    def _ask(
        self, reference: ImageReference, work: Callable[[RegistryClient], Confirmation]
    ) -> Future[Confirmation]:
        return self._workers.submit(reference.registry, reference.repository, work)

    def _confirm_pushed(self, reference: ImageReference, client: RegistryClient) -> Confirmation:
        return ask_again(
            lambda: self._confirm(reference, Purpose.READ, client),
            lambda answer: isinstance(answer, Missing),
        )

    def _confirm(
        self, reference: ImageReference, purpose: Purpose, client: RegistryClient
    ) -> Confirmation:
        # Without the lock, at which all threads would queue.
        known = self._unreachable.get(reference.registry)
        if known is not None:
            inquiry = Inquiry(reference.registry, f"look up {reference}")
            return Unknown(RegistryUnavailableError(inquiry, known.finding))
        manifest = reference.digest or reference.tag or ""
        try:
            descriptor = client.head_manifest(reference.repository, manifest, purpose)
            if descriptor is None or not self._is_whole(client, reference, descriptor):
                return Missing()
        except RegistryUnavailableError as e:
            if e.refusal is None:
                self._unreachable[reference.registry] = e
            return Unknown(e)
        except RegistryError as e:
            return Unknown(e)
        return Present(descriptor)

    def _is_whole(
        self, client: RegistryClient, reference: ImageReference, root: Descriptor
    ) -> bool:
        if self._layers is None or reference.digest is None:
            return True
        return self._layers.has_all(client, reference.repository, root)


def _finish(future: Future[Confirmation], same: Future[Confirmation]) -> None:
    """Have in a future what came of another one."""
    if same.cancelled():
        future.cancel()
    if future.set_running_or_notify_cancel():
        problem = same.exception()
        if problem is None:
            future.set_result(same.result())
        else:
            future.set_exception(problem)
