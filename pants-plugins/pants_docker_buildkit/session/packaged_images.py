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
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, tuple[Hashable, OciDigest]] = {}

    def add(self, address: str, asked: Hashable, digest: OciDigest) -> None:
        """The target has this image now."""
        with self._lock:
            self._images[address] = (asked, digest)

    def is_last(self, address: str, asked: Hashable, digest: OciDigest) -> bool:
        """Whether the target has this image, or is not known."""
        image = (asked, digest)
        with self._lock:
            return self._images.get(address, image) == image
