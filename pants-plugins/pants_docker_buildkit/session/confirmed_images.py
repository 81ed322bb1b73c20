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

_SPARE = 8
_LOOKS = 8
"""In how many sessions is looked which images of a shard are needed still, once it has grown."""


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


@dataclass
class _Shard:
    """Confirmed references. They have grown where there are more than `limit`, if there is one.

    `needed` are those that were since that was seen, in sessions of which there are `looks` more.
    """

    references: set[ImageReference] = field(default_factory=set)
    limit: Optional[int] = None
    needed: Optional[set[ImageReference]] = None
    looks: int = 0

    def need(self, references: Sequence[ImageReference]) -> None:
        if self.needed is not None:
            self.needed.update(references)

    def tidy(self) -> bool:
        """As `ConfirmedImages.tidy`."""
        count = len(self.references)
        if self.needed is not None:
            self.looks -= 1
            if self.looks:
                return False
            self.references &= self.needed
            self.needed = self.limit = None
            return len(self.references) < count
        if self.limit is None:
            self.limit = 2 * count + _SPARE if count else None
        elif count > self.limit:
            self.needed, self.looks = set(), _LOOKS
            return True
        return False


class ConfirmedImages:
    """The references that registries confirmed, as long as this Pants process lives.

    A reference that is here has been asked for in this session, once `confirm_shard` was awaited
    for its shard. Those of images that were rebuilt go once nobody has needed them for a while.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._command: tuple[str, ...] = ()
        self._asked: OrderedDict[tuple[str, ...], _Asked] = OrderedDict()
        self._shards = tuple(_Shard() for _ in range(_SHARDS))

    def has(self, references: Sequence[ImageReference]) -> bool:
        """Whether this image was confirmed under all of its references."""
        with self._lock:
            shard = self._shards[shard_of(references)]
            shard.need(references)
            return shard.references.issuperset(references)

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
                for each in self._shards[shard].references
            )

    def tidy(self, shard: int) -> bool:
        """Look, at times, which images of a shard are needed still, and leave the others out.

        Called in each session that asks for it, before that. Gives whether everybody who needs one
        of them has to ask `has` again.
        """
        with self._lock:
            return self._shards[shard].tidy()

    def ask(self, shard: int) -> tuple[ImageReference, ...]:
        """All that were confirmed, of one shard, which this session asks for."""
        with self._lock:
            self._asked.setdefault(self._command, _Asked()).shards.add(shard)
            return tuple(self._shards[shard].references)

    def note_tag(self, tag: ImageReference, digest: OciDigest) -> None:
        """A tag was asked for and was at this image. One tag of an image is enough."""
        image = ImageReference(tag.registry, tag.repository, digest=digest)
        with self._lock:
            self._asked.setdefault(self._command, _Asked()).tags.setdefault(image, tag)

    def add(self, references: Sequence[ImageReference]) -> None:
        """The registries have this image under all of its references."""
        with self._lock:
            shard = self._shards[shard_of(references)]
            shard.need(references)
            shard.references.update(references)

    def remove(self, shard: int, references: Iterable[ImageReference]) -> None:
        """Registries do not have these, or did not say so."""
        with self._lock:
            self._shards[shard].references.difference_update(references)
