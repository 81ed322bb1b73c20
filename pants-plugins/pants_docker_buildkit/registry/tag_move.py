"""Point tags to an image that is there, and say where somebody else did so meanwhile.

Registries offer no way to move a tag only if it is where it was. So it is looked at just before,
and where the registry does not say what it stored, just after. Who moves it later comes after us.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.client import Purpose, RegistryClient
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    ManifestUnknownError,
    NameUnknownError,
    RegistryError,
    RejectedError,
    TagNotKeptError,
    TagTakenError,
)
from pants_docker_buildkit.registry.image_content import ImageContent, RepositoryContent
from pants_docker_buildkit.registry.image_copy import copy_image
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.late_answers import ask_again
from pants_docker_buildkit.registry.referrers import copy_referrers

_JUST_NOW = 5.0
"""A tag that was looked at so many seconds ago need not be looked at again before it is moved."""

_DIGEST_INVALID = "DIGEST_INVALID"
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class TagMove:
    """A tag that shall point to another digest.

    `before` is where it was when we looked, which was at `seen_at` on the monotonic clock.
    """

    tag: str
    before: OciDigest | None
    seen_at: float = field(default=-inf, compare=False)


@dataclass(frozen=True)
class RepositoryMoves:
    """Tags of one repository that shall point to one digest.

    `has_image` tells that the registry said in this session that the image is in the repository.
    """

    registry: str
    repository: str
    digest: OciDigest
    moves: tuple[TagMove, ...]
    has_image: bool = False

    @property
    def image_name(self) -> str:
        """`registry/repository@sha256:…`."""
        return f"{self.registry}/{self.repository}@{self.digest}"

    def name(self, move: TagMove) -> str:
        """`registry/repository:tag`."""
        return f"{self.registry}/{self.repository}:{move.tag}"


def move_tags(
    client: RegistryClient,
    wanted: RepositoryMoves,
    others: Sequence[ImageContent] = (),
    known: KnownManifests | None = None,
) -> Iterator[tuple[TagMove, RegistryError | None]]:
    """Move each tag, and give for each why it was not moved, or `None`.

    `others` are where the image may be copied from if the repository does not have it.
    """
    try:
        descriptor, manifest = prepare_image(client, wanted, others, known or KnownManifests())
    except RegistryError as e:
        yield from ((move, e) for move in wanted.moves)
        return
    for move in wanted.moves:
        try:
            _move_persistently(client, wanted, move, descriptor, manifest)
        except RegistryError as e:
            yield move, e
        else:
            yield move, None


def prepare_image(
    client: RegistryClient,
    wanted: RepositoryMoves,
    others: Sequence[ImageContent],
    known: KnownManifests,
) -> tuple[Descriptor, bytes]:
    """What the image and its manifest are, copied from one of `others` if it was not there.

    Raises a `RegistryError`.
    """
    found = known.find(wanted.digest) if wanted.has_image else None
    if found is not None:
        return found
    try:
        found = client.get_manifest(wanted.repository, wanted.digest)
    except (ManifestUnknownError, NameUnknownError):
        if not any(_copies(other, client, wanted.repository) for other in others):
            raise
        found = client.get_manifest(wanted.repository, wanted.digest)
    known.add(*found)
    return found


def _copies(other: ImageContent, client: RegistryClient, repository: str) -> bool:
    try:
        copy_image(other, client, repository)
        if isinstance(other, RepositoryContent):
            # What is said of an image, such as its provenance and signatures, goes with it.
            copy_referrers(other.client, other.repository, client, repository, other.digest)
    except (ManifestUnknownError, NameUnknownError):
        return False
    return True


def _move_persistently(
    client: RegistryClient,
    wanted: RepositoryMoves,
    move: TagMove,
    descriptor: Descriptor,
    manifest: bytes,
) -> None:
    """Move a tag, and once more where the registry says that our content is other than it is.

    Who writes by tag claims no digest that could be invalid. Distribution's registry says so where
    it reads a manifest while another client stores the same one. To write it again changes nothing
    if it was stored. The tag is looked at before, because somebody may have moved it meanwhile.
    """
    try:
        _move(client, wanted, move, descriptor, manifest)
    except RejectedError as e:
        if e.refusal.code != _DIGEST_INVALID:
            raise
        time.sleep(_PAUSE_SECONDS)
        _move(client, wanted, replace(move, seen_at=-inf), descriptor, manifest)


def _move(
    client: RegistryClient,
    wanted: RepositoryMoves,
    move: TagMove,
    descriptor: Descriptor,
    manifest: bytes,
) -> None:
    inquiry = Inquiry(wanted.registry, f"move {wanted.name(move)} to {wanted.digest}")
    if time.monotonic() - move.seen_at > _JUST_NOW:
        found = _look_up(client, wanted, move)
        if found == wanted.digest:
            return
        if found != move.before:
            raise TagTakenError(inquiry, move.before, found)
    media_type = descriptor.media_type
    if client.put_manifest(wanted.repository, move.tag, manifest, media_type).is_told:
        return
    kept = ask_again(lambda: _look_up(client, wanted, move), lambda tag: tag == move.before)
    if kept != wanted.digest:
        raise TagNotKeptError(inquiry, kept)


def _look_up(client: RegistryClient, wanted: RepositoryMoves, move: TagMove) -> OciDigest | None:
    found = client.head_manifest(wanted.repository, move.tag, Purpose.WRITE)
    return None if found is None else found.digest
