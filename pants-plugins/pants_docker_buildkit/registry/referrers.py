"""Put what is said about an image beside it, in a registry with or without an API for that.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
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


def list_referrers(
    client: RegistryClient, repository: str, subject: OciDigest
) -> tuple[ReferrerEntry, ...]:
    """The descriptors of what refers to an image, as a registry or its fallback tag lists them."""
    listed = client.get_referrers(repository, subject)
    return _tagged(client, repository, subject)[1] if listed is None else listed


def attach(client: RegistryClient, repository: str, referrers: Sequence[Referrer]) -> int:
    """Have a repository list these referrers of one image; gives how many had to be sent.

    Raises a `RegistryError` where it does not.
    """
    subject = referrers[0].subject.digest
    known = list_referrers(client, repository, subject)
    missing = [each for each in referrers if not any(each.is_listed_as(other) for other in known)]
    for referrer in missing:
        attach_one(client, repository, referrer)
    return len(missing)


def attach_one(client: RegistryClient, repository: str, referrer: AnyReferrer) -> None:
    """Send a referrer, and have the repository list it. Raises a `RegistryError`."""
    for blob, content in referrer.blobs.items():
        if not client.has_blob(repository, blob.digest, to_write=True):
            client.upload_blob(repository, blob, partial(_once, content))
    media_type = MediaType.OCI_IMAGE_MANIFEST.value
    stored = client.put_manifest(repository, referrer.digest, referrer.manifest, media_type)
    if not stored.is_listed:
        _list_in_tag(client, repository, referrer.subject.digest, referrer.entry())


def copy_referrers(
    source: RegistryClient,
    source_repository: str,
    client: RegistryClient,
    repository: str,
    subject: OciDigest,
) -> None:
    """Copy what refers to an image, which both repositories have. Raises a `RegistryError`."""
    known = {each.digest for each in list_referrers(client, repository, subject)}
    for entry in list_referrers(source, source_repository, subject):
        if entry.digest in known:
            continue
        content = RepositoryContent(source, source_repository, entry.digest)
        try:
            copy_image(content, client, repository)
        except ManifestUnknownError:
            # The list that a tag points to may name what was removed.
            continue
        if client.get_referrers(repository, subject) is None:
            _list_in_tag(client, repository, subject, entry)


def _once(content: bytes) -> list[bytes]:
    return [content]


def _list_in_tag(
    client: RegistryClient, repository: str, subject: OciDigest, entry: ReferrerEntry
) -> None:
    """Add an entry to the list that a tag points to, and see that it stays there."""
    tag = referrers_tag(subject)
    for seconds in _WAITS:
        time.sleep(seconds)
        found, entries = _tagged(client, repository, subject)
        if any(each.digest == entry.digest for each in entries):
            return
        content = render_referrers((*entries, entry))
        client.put_manifest(repository, tag, content, MediaType.OCI_IMAGE_INDEX.value)
    found, entries = _tagged(client, repository, subject)
    if not any(each.digest == entry.digest for each in entries):
        action = f"list a referrer in {client.registry}/{repository}:{tag}"
        digest = None if found is None else found.digest
        raise TagNotKeptError(Inquiry(client.registry, action), digest)


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
