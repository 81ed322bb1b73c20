"""Which targets name their images alike in the local engine?"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping


class LocalTags:
    """The tags that images got in the local engine in one session. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, dict[str, str]] = {}

    def claim(self, target: str, reference: str, tags: Iterable[str]) -> Mapping[str, str]:
        """Say that a target wants these tags for an image, which a reference pins.

        Gives those that another target wants for another image, each with that target.
        """
        taken = {}
        with self._lock:
            for tag in tags:
                images = self._images.setdefault(tag, {})
                images[target] = reference
                others = (each for each, image in images.items() if image != reference)
                other = next(others, None)
                if other is not None:
                    taken[tag] = other
        return taken
