"""Put what is said about an image beside it, in a registry with or without an API for that.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.manifest import InvalidManifestError
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import (
    AnyReferrer,
    Referrer,
    ReferrerEntry,
    parse_referrers,
    referrers_tag,
    render_referrers,
)
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    Inquiry,
    ManifestUnknownError,
    NameUnknownError,
    TagNotKeptError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.image_content import RepositoryContent
from pants_docker_buildkit.registry.image_copy import copy_image
from pants_docker_buildkit.registry.registry_workers import RegistryWorkers

_WAITS = (0.0, 0.3, 1.0, 3.0)
"""Somebody else may write the list at the same time; then it is read and written again."""


@dataclass(frozen=True)
class ReferrerList:
    """The descriptors of what refers to an image, as a repository lists them.

    One that `is_tagged` is a file that anybody may write, under the fallback tag.
    """

    client: RegistryClient
    repository: str
    entries: tuple[ReferrerEntry, ...]
    is_tagged: bool

    def has(self, is_wanted: Callable[[ReferrerEntry], bool]) -> bool:
        """Whether any of the entries that are wanted is there. Raises a `RegistryError`."""
        return any(is_wanted(each) and self._is_there(each) for each in self.entries)

    def _is_there(self, entry: ReferrerEntry) -> bool:
        return not self.is_tagged or _is_there(self.client, self.repository, entry)


def list_referrers(client: RegistryClient, repository: str, subject: OciDigest) -> ReferrerList:
    """What refers to an image, as a registry or its fallback tag lists it."""
    listed = client.get_referrers(repository, subject)
    if listed is not None:
        return ReferrerList(client, repository, listed, is_tagged=False)
    tagged = _tagged(client, repository, subject)[1]
    return ReferrerList(client, repository, tagged, is_tagged=True)


def attach(client: RegistryClient, repository: str, referrers: Sequence[Referrer]) -> int:
    """Have a repository list these referrers of one image; gives how many had to be sent.

    Raises a `RegistryError` where it does not.
    """
    listed = list_referrers(client, repository, referrers[0].subject.digest)
    missing = [each for each in referrers if not listed.has(each.is_listed_as)]
    attach_all(client, repository, missing)
    return len(missing)


def attach_all(client: RegistryClient, repository: str, referrers: Sequence[AnyReferrer]) -> None:
    """Send referrers of one image, and have the repository list them. Raises a `RegistryError`."""
    unlisted = [each for each in referrers if not _send(client, repository, each)]
    if unlisted:
        entries = [each.entry() for each in unlisted]
        _list_in_tag(client, repository, unlisted[0].subject.digest, entries)


def _send(client: RegistryClient, repository: str, referrer: AnyReferrer) -> bool:
    """Whether the registry says that it lists what it was sent."""
    for blob, content in referrer.blobs.items():
        if not client.has_blob(repository, blob.digest, to_write=True):
            client.upload_blob(repository, blob, partial(_once, content))
    media_type = MediaType.OCI_IMAGE_MANIFEST.value
    return client.put_manifest(repository, referrer.digest, referrer.manifest, media_type).is_listed


def copy_referrers(
    source: RegistryClient,
    source_repository: str,
    client: RegistryClient,
    repository: str,
    subject: OciDigest,
) -> None:
    """Copy what refers to an image, which both repositories have. Raises a `RegistryError`."""
    listed = list_referrers(client, repository, subject)
    known = {each.digest for each in listed.entries}
    unlisted = []
    for entry in list_referrers(source, source_repository, subject).entries:
        if entry.digest in known and not listed.is_tagged:
            continue
        content = RepositoryContent(source, source_repository, entry.digest)
        try:
            copy_image(content, client, repository)
        except ManifestUnknownError:
            # The list that a tag points to may name what was removed.
            continue
        unlisted.append(entry)
    if unlisted and listed.is_tagged:
        _list_in_tag(client, repository, subject, unlisted)


def _once(content: bytes) -> list[bytes]:
    return [content]


def _list_in_tag(
    client: RegistryClient, repository: str, subject: OciDigest, entries: Sequence[ReferrerEntry]
) -> None:
    """Add entries to the list that a tag points to, and see that they stay there."""
    tag = referrers_tag(subject)
    for seconds in _WAITS:
        time.sleep(seconds)
        _, listed = _tagged(client, repository, subject)
        missing = _missing(entries, listed)
        if not missing:
            return
        # Registries refuse a list that names what is gone.
        kept = [each for each in listed if _is_there(client, repository, each)]
        content = render_referrers((*kept, *missing))
        client.put_manifest(repository, tag, content, MediaType.OCI_IMAGE_INDEX.value)
    found, listed = _tagged(client, repository, subject)
    if _missing(entries, listed):
        action = f"list a referrer in {client.registry}/{repository}:{tag}"
        digest = None if found is None else found.digest
        raise TagNotKeptError(Inquiry(client.registry, action), digest)


def _is_there(client: RegistryClient, repository: str, entry: ReferrerEntry) -> bool:
    """Whether a repository has what a list under a tag names.

    Clean-ups take what no tag points to for garbage, and leave the list as it is.
    """
    return client.head_manifest(repository, entry.digest) is not None


def _missing(
    entries: Sequence[ReferrerEntry], listed: Sequence[ReferrerEntry]
) -> list[ReferrerEntry]:
    known = {each.digest for each in listed}
    return [each for each in entries if each.digest not in known]


def _tagged(
    client: RegistryClient, repository: str, subject: OciDigest
) -> tuple[Descriptor | None, tuple[ReferrerEntry, ...]]:
    try:
        descriptor, content = client.get_manifest(repository, referrers_tag(subject))
    except (ManifestUnknownError, NameUnknownError):
        return None, ()
    if descriptor.digest == subject:
        # GitLab takes the tag for another spelling of the digest.
        return descriptor, ()
    try:
        return descriptor, parse_referrers(content)
    except InvalidManifestError as e:
        action = f"list what refers to {client.registry}/{repository}@{subject}"
        inquiry = Inquiry(client.registry, action)
        raise UnexpectedResponseError(inquiry, str(e).rstrip(".")) from e


class Attachments:
    """Attaches referrers on a few threads, each once."""

    def __init__(self, find_client: Callable[[str, str], RegistryClient]) -> None:
        self._workers = RegistryWorkers("registry-referrers", find_client)
        self._futures: dict[tuple[str, tuple[OciDigest, ...]], Future[int]] = {}
        self._lock = threading.Lock()

    def submit(self, repository: ImageReference, referrers: Sequence[Referrer]) -> Future[int]:
        """As `attach` one after the other, in the future. Gives how many had to be sent."""
        key = (repository.name, tuple(each.digest for each in referrers))
        with self._lock:
            future = self._futures.get(key)
            if future is None:
                name = repository.repository
                work = partial(attach, repository=name, referrers=tuple(referrers))
                future = self._workers.submit(repository.registry, name, work)
                self._futures[key] = future
            return future

    def close(self) -> None:
        """Cancel what was not begun. Waits for nothing."""
        self._workers.close()
