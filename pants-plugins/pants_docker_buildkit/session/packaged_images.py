"""Which image has each target now? What goals see of it, rules may see of an earlier moment."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from pants_docker_buildkit.oci.digest import OciDigest


class PackagedImages:
    """What `package` gave last for each target, as long as this Pants process lives.

    Pants asks a rule again what it asked of it in an earlier session, before it has seen that a
    file is another one, and while it packages what there is now. Of such a question nothing tells
    that its answer is not wanted. So who plans for an image looks here whether it is the last one.

    An image is what was asked for, with the fields of its target, and the digest that came of it.
    What was asked for in an earlier session need not be packaged again: so each has its digest, and
    who plans says which fields the target has now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: dict[tuple[str, Hashable], OciDigest] = {}
        self._fields: dict[str, Hashable] = {}

    def add(self, address: str, asked: Hashable, digest: OciDigest) -> None:
        """What is asked for with these fields of the target has this image now."""
        with self._lock:
            self._digests[address, asked] = digest

    def see(self, address: str, fields: Hashable) -> None:
        """The target has these fields now."""
        with self._lock:
            self._fields[address] = fields

    def is_last(self, address: str, asked: Hashable, digest: OciDigest) -> bool:
        """Whether the target has this image, or is not known."""
        with self._lock:
            if self._fields.get(address, asked) != asked:
                return False
            return self._digests.get((address, asked), digest) == digest
