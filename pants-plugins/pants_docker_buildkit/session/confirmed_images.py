"""Which images did registries confirm to this Pants process? In shards, each asked for at once."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.reference import ImageReference

_SHARDS = 64
_COMMANDS = 16


def shard_of(references: Sequence[ImageReference]) -> int:
    """Which shard an image with these references is in, whatever its digest is."""
    return zlib.crc32(references[0].repository.encode()) % _SHARDS


@dataclass(frozen=True)
class LikelyQuestion:
    """An image that a command asked for before, and a tag that it saw at that image, if any."""

    image: ImageReference
    tag: Optional[ImageReference] = None


@dataclass
class _Asked:
    """What one run of a command asked for: shards, and of images the tags that named them."""

    shards: set[int] = field(default_factory=set)
    tags: dict[ImageReference, ImageReference] = field(default_factory=dict)


class ConfirmedImages:
    """The references that registries confirmed, as long as this Pants process lives.

    A reference that is here has been asked for in this session, once `confirm_shard` was awaited
    for its shard.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._command: tuple[str, ...] = ()
        self._asked: OrderedDict[tuple[str, ...], _Asked] = OrderedDict()
        self._shards: tuple[set[ImageReference], ...] = tuple(set() for _ in range(_SHARDS))

    def has(self, references: Sequence[ImageReference]) -> bool:
        """Whether this image was confirmed under all of its references."""
        with self._lock:
            return self._shards[shard_of(references)].issuperset(references)

    def begin_session(self, command: Sequence[str]) -> tuple[LikelyQuestion, ...]:
        """A session begins that runs this command. What the last one that ran it asked for."""
        with self._lock:
            self._command = tuple(command)
            before = self._asked.pop(self._command, _Asked())
            while len(self._asked) >= _COMMANDS:
                self._asked.popitem(last=False)
            self._asked[self._command] = _Asked()
            return tuple(
                LikelyQuestion(each, before.tags.get(each))
                for shard in before.shards
                for each in self._shards[shard]
            )

    def ask(self, shard: int) -> tuple[ImageReference, ...]:
        """All that were confirmed, of one shard, which this session asks for."""
        with self._lock:
            self._asked.setdefault(self._command, _Asked()).shards.add(shard)
            return tuple(self._shards[shard])

    def note_tag(self, tag: ImageReference, digest: OciDigest) -> None:
        """A tag was asked for and was at this image. One tag of an image is enough."""
        image = ImageReference(tag.registry, tag.repository, digest=digest)
        with self._lock:
            self._asked.setdefault(self._command, _Asked()).tags.setdefault(image, tag)

    def add(self, references: Sequence[ImageReference]) -> None:
        """The registries have this image under all of its references."""
        with self._lock:
            self._shards[shard_of(references)].update(references)

    def remove(self, shard: int, references: Iterable[ImageReference]) -> None:
        """Registries do not have these, or did not say so."""
        with self._lock:
            self._shards[shard].difference_update(references)
