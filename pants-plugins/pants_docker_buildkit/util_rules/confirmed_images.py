"""Which images did registries confirm to this Pants process, and do they still have them?

What a rule gave in one session is taken over by the next one of the same process, if nothing that
it depends on has changed. Asking for each image in a rule that runs again in every session would
make Pants look at each image anew, which takes longer than the registry. So the images that were
confirmed once are asked for in a few shards, each in one rule, whose value stays the same as long
as the registry has them all: then nothing that depends on it runs again.

A session that needs one image asks for the others of its shard, too: so there are many shards.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pants.engine.internals.session import RunId
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, rule, uncacheable_rule
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.confirmation import Present
from pants_docker_buildkit.util_rules.registry_access import (
    RegistryAccessRequest,
    prepare_registry_access,
)
from pants_docker_buildkit.util_rules.registry_wait import WaitRequest, wait_for_registries
from pants_docker_buildkit.util_rules.session import WAITS_DIRECTORY, SessionRequest, open_session

_SHARDS = 64


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
        self._shards: tuple[set[ImageReference], ...] = tuple(set() for _ in range(_SHARDS))

    def has(self, references: Sequence[ImageReference]) -> bool:
        """Whether this image was confirmed under all of its references."""
        with self._lock:
            return self._shards[shard_of(references)].issuperset(references)

    def in_shard(self, shard: int) -> tuple[ImageReference, ...]:
        """All that were confirmed, of one shard."""
        with self._lock:
            return tuple(self._shards[shard])

    def add(self, references: Sequence[ImageReference]) -> None:
        """The registries have this image under all of its references."""
        with self._lock:
            self._shards[shard_of(references)].update(references)

    def remove(self, shard: int, references: Iterable[ImageReference]) -> None:
        """Registries do not have these, or did not say so."""
        with self._lock:
            self._shards[shard].difference_update(references)


@dataclass(frozen=True)
class ConfirmedImagesRequest:
    """Asks for the one `ConfirmedImages` of this Pants process."""


@rule
async def keep_confirmed_images(_: ConfirmedImagesRequest) -> ConfirmedImages:
    return ConfirmedImages()


@dataclass(frozen=True)
class ShardRequest:
    """Asks to confirm again, in this session, what was confirmed of a shard."""

    shard: int


@dataclass(frozen=True)
class ShardConfirmation:
    """Whether registries still have all of a shard.

    If so, it is the same in every session. If not, it is another value in each, because what was
    done about a loss in one session says nothing about the next.
    """

    session_of_loss: RunId | None = None


@uncacheable_rule(desc="Confirm images with their registries")
async def confirm_shard(request: ShardRequest, run_id: RunId) -> ShardConfirmation:
    confirmed = await keep_confirmed_images(ConfirmedImagesRequest(), **implicitly())
    access = await prepare_registry_access(RegistryAccessRequest(), **implicitly())
    references = confirmed.in_shard(request.shard)
    if not references:
        return ShardConfirmation()
    futures = [access.confirmations.submit(each) for each in references]
    session = await open_session(SessionRequest(), **implicitly())
    token = access.waits.join(futures, session.path / WAITS_DIRECTORY)
    if token is not None:
        await wait_for_registries(WaitRequest(token), **implicitly())
    lost = [
        reference
        for reference, future in zip(references, futures)
        if not isinstance(future.result(), Present)
    ]
    confirmed.remove(request.shard, lost)
    return ShardConfirmation(run_id if lost else None)


def rules() -> Iterable[Rule]:
    return collect_rules()
