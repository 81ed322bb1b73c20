"""Ask registries whether they still hold what records say, of many images at once.

A cached record is believed only after its digest was confirmed in this session. That is one HEAD
request for each image, and what it costs is waiting: so they are asked together, each once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    RegistryError,
    RegistryUnavailableError,
)
from pants_docker_buildkit.registry.layer_check import LayerCheck
from pants_docker_buildkit.registry.workers import DEFAULT_POOL_SIZE, Workers

WAITS_FOR_PUSH = (0.25, 1.0, 3.0)
"""Registries that are spread over several places may show a push a little late."""


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


class ManifestConfirmations:
    """Asks registries for manifests, with a few threads, each manifest once.

    A registry that could not be reached is not asked again, or the wait for it would be paid for
    every image. With `layers`, an image is present with all of its layers only.
    """

    def __init__(
        self,
        find_client: Callable[[str, str], RegistryClient],
        pool_size: int = DEFAULT_POOL_SIZE,
        layers: LayerCheck | None = None,
    ) -> None:
        self._find_client = find_client
        self._layers = layers
        self._workers = Workers("registry-confirmation", pool_size)
        self._futures: dict[tuple[ImageReference, bool], Future[Confirmation]] = {}
        self._unreachable: dict[str, RegistryUnavailableError] = {}
        self._lock = threading.Lock()

    def submit(self, reference: ImageReference, *, to_write: bool = False) -> Future[Confirmation]:
        """What the registry says of `reference`, in the future. The same for the same reference.

        `to_write` is as for `RegistryClient.head_manifest`.
        """
        with self._lock:
            future = self._futures.get((reference, to_write))
            if future is None:
                future = self._workers.submit(partial(self._confirm, reference, to_write))
                self._futures[reference, to_write] = future
            return future

    def submit_pushed(self, reference: ImageReference) -> Future[Confirmation]:
        """The same of an image that was pushed meanwhile, whatever was said of it before.

        A registry that does not show it yet is asked again a little later.
        """
        with self._lock:
            future = self._workers.submit(partial(self._confirm_pushed, reference))
            for to_write in (False, True):
                self._futures[reference, to_write] = future
            return future

    def close(self) -> None:
        """Cancel what was not asked yet, and let the threads end. Does not wait for answers."""
        self._workers.close()

    def _confirm_pushed(self, reference: ImageReference) -> Confirmation:
        answer = self._confirm(reference, to_write=False)
        for seconds in WAITS_FOR_PUSH:
            if not isinstance(answer, Missing):
                break
            time.sleep(seconds)
            answer = self._confirm(reference, to_write=False)
        return answer

    def _confirm(self, reference: ImageReference, to_write: bool) -> Confirmation:  # noqa: FBT001
        with self._lock:
            known = self._unreachable.get(reference.registry)
        if known is not None:
            inquiry = Inquiry(reference.registry, f"look up {reference}")
            return Unknown(RegistryUnavailableError(inquiry, known.finding))
        client = self._find_client(reference.registry, reference.repository)
        manifest = reference.digest or reference.tag or ""
        try:
            descriptor = client.head_manifest(reference.repository, manifest, to_write=to_write)
            if descriptor is None or not self._is_whole(client, reference, descriptor):
                return Missing()
        except RegistryUnavailableError as e:
            if e.refusal is None:
                with self._lock:
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
