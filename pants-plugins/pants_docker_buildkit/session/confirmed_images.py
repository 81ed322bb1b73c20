"""Which images did registries confirm to this Pants process? In shards, each asked for at once."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from pants_docker_buildkit.oci.reference import ImageReference

_SHARDS = 64
_COMMANDS = 16


def shard_of(references: Sequence[ImageReference]) -> int:
    """Which shard an image with these references is in, whatever its digest is."""
    return zlib.crc32(references[0].repository.encode()) % _SHARDS


class ConfirmedImages:
    """The references that registries confirmed, as long as this Pants process lives.

    A reference that is here has been asked for in this session, once `confirm_shard` was awaited
    for its shard.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._command: tuple[str, ...] = ()
        self._asked: OrderedDict[tuple[str, ...], set[int]] = OrderedDict()
        self._shards: tuple[set[ImageReference], ...] = tuple(set() for _ in range(_SHARDS))

    def has(self, references: Sequence[ImageReference]) -> bool:
        """Whether this image was confirmed under all of its references."""
        with self._lock:
            return self._shards[shard_of(references)].issuperset(references)

    def begin_session(self, command: Sequence[str]) -> tuple[ImageReference, ...]:
        """A session begins that runs this command. What the last one that ran it asked for."""
        with self._lock:
            self._command = tuple(command)
            shards = self._asked.pop(self._command, set())
            while len(self._asked) >= _COMMANDS:
                self._asked.popitem(last=False)
            self._asked[self._command] = set()
            return tuple(each for shard in shards for each in self._shards[shard])

    def ask(self, shard: int) -> tuple[ImageReference, ...]:
        """All that were confirmed, of one shard, which this session asks for."""
        with self._lock:
            self._asked.setdefault(self._command, set()).add(shard)
            return tuple(self._shards[shard])

    def add(self, references: Sequence[ImageReference]) -> None:
        """The registries have this image under all of its references."""
        with self._lock:
            self._shards[shard_of(references)].update(references)

    def remove(self, shard: int, references: Iterable[ImageReference]) -> None:
        """Registries do not have these, or did not say so."""
        with self._lock:
            self._shards[shard].difference_update(references)
