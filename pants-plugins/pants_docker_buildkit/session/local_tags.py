"""Which tags get which images in the local engine?"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class LocalTags:
    """The tags that images got in the local engine in one session. Any thread may ask.

    Pants asks again for the image that a target had in the session before, while it finds out that
    the target has another one, and nothing tells which of both is answered last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, dict[str, str]] = {}
        self._found: dict[str, str] = {}
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

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

    def note(self, target: str, reference: str) -> None:
        """Say that the target was found to have this image."""
        with self._lock:
            self._found[target] = reference

    @contextmanager
    def turn(self, target: str, reference: str) -> Iterator[bool]:
        """While the block runs, nobody else sets tags of the target.

        Gives whether those of this image may be set: not where the target has another one.
        """
        with self._lock:
            turn = self._turns[target]
        with turn:
            with self._lock:
                is_current = self._found.get(target, reference) == reference
            yield is_current
