"""Manifests that a registry gave once: what has a digest need not be read twice."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest

_MOST_BYTES = 32 * 1024 * 1024


class KnownManifests:
    """Keeps the manifests that were used last, as long as this Pants process lives.

    That one is here says nothing of whether a registry still has it.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[OciDigest, tuple[Descriptor, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, digest: OciDigest) -> tuple[Descriptor, bytes] | None:
        """What the manifest is, and its content."""
        with self._lock:
            found = self._known.get(digest)
            if found is not None:
                self._known.move_to_end(digest)
            return found

    def add(self, descriptor: Descriptor, content: bytes) -> None:
        """Keep a manifest whose content was checked against the digest of `descriptor`."""
        with self._lock:
            if descriptor.digest in self._known or len(content) > self._most_bytes:
                return
            self._known[descriptor.digest] = (descriptor, content)
            self._bytes += len(content)
            while self._bytes > self._most_bytes:
                _, (_, forgotten) = self._known.popitem(last=False)
                self._bytes -= len(forgotten)
