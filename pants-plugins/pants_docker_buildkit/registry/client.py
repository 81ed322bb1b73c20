"""Speak the distribution specification with one registry.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from pants_docker_buildkit.oci.content import InvalidContentError, verified_chunks, verify_content
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import (
    InvalidOciDigestError,
    OciDigest,
    parse_oci_digest,
    sha256_digest,
)
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.manifest import MAX_MANIFEST_SIZE, InvalidManifestError
from pants_docker_buildkit.oci.media_types import MANIFEST_MEDIA_TYPES, MediaType
from pants_docker_buildkit.oci.referrer import ReferrerEntry, parse_referrers
from pants_docker_buildkit.registry.absence import check_absence, is_for_people
from pants_docker_buildkit.registry.authentication import Scopes, repository_scopes
from pants_docker_buildkit.registry.channel import Call, Channel
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    ContentMismatchError,
    Inquiry,
    ManifestUnknownError,
    RegistryUnavailableError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.origin import InvalidUrlError, resolve_location
from pants_docker_buildkit.registry.transport import (
    BodyTooLargeError,
    OpenBody,
    Response,
    TransportError,
)
from pants_docker_buildkit.registry.uploads import BlobUpload

_ACCEPTED_MANIFESTS = {"Accept": ", ".join(each.value for each in MANIFEST_MEDIA_TYPES)}
_UNKNOWN_METHOD = (405, 501)
_UNKNOWN_PATH = (303, 400, 404, 406, *_UNKNOWN_METHOD)
"""What registries say of a path that they do not know. GHCR sends everybody to a page for people,
which limits how often it is asked."""

_MAX_PAGES = 1000
_SIZE = re.compile("[0-9]{1,15}")
_LINK = re.compile(r'<([^<>]*)>[^<]*?;\s*rel\s*=\s*"?([a-z]+)')


class Purpose(Enum):
    """Why a manifest is looked up."""

    READ = "read"
    """To be read. Some registries that stand in for others (Nexus) fetch a manifest only with GET,
    so a HEAD that does not find it is not believed."""

    MOVE = "move"
    """To be moved: it is a tag that only we and our like set, where HEAD tells what there is."""

    WRITE = "write"
    """As `MOVE`, asked as somebody who may write: of a repository that is not there yet, many
    registries tell others only that they may not read it."""


class StoredManifest(NamedTuple):
    """What a registry said of a manifest that it stored."""

    is_told: bool
    """Whether it said which digest it stored. Registries that do not may have done anything."""

    is_listed: bool
    """Whether it lists the manifest with what it refers to: not all keep such lists."""


class RegistryClient:
    """One registry. Any number of threads may share a client.

    Every content it gives was checked against its digest. Every method raises a `RegistryError`
    where it cannot do what it says.
    """

    def __init__(self, registry: str, channel: Channel) -> None:
        self.registry = registry
        self._channel = channel

    @property
    def most_at_once(self) -> int:
        """How many requests may be on their way to the registry now."""
        return self._channel.most_at_once

    def head_manifest(
        self, repository: str, reference: str, purpose: Purpose = Purpose.READ
    ) -> Descriptor | None:
        """What the manifest under a tag or digest is; `None` if the registry has none.

        Registries that refuse HEAD are asked with GET, which also tells why they do.
        """
        inquiry = self._inquiry("look up", repository, reference)
        call = Call(
            inquiry,
            "HEAD",
            f"/v2/{repository}/manifests/{reference}",
            _scopes(repository, to_write=purpose is Purpose.WRITE),
            accepted=(200, 403, 404, *_UNKNOWN_METHOD),
            headers=_ACCEPTED_MANIFESTS,
        )
        response = self._channel.ask(call)
        if response.status == 404 and purpose is not Purpose.READ:
            check_absence(self._channel, inquiry, response, call.scopes)
            return None
        response.discard()
        described = _describe(inquiry, response, reference) if response.status == 200 else None
        if described is None:
            found = self._find_manifest(inquiry, repository, reference, accepted=(200, 404))
            return None if found is None else found[0]
        return described

    def get_manifest(self, repository: str, reference: str) -> tuple[Descriptor, bytes]:
        """The manifest under a tag or digest, and what it is."""
        inquiry = self._inquiry("read", repository, reference)
        found = self._find_manifest(inquiry, repository, reference)
        assert found is not None
        return found

    def _find_manifest(
        self, inquiry: Inquiry, repository: str, reference: str, accepted: tuple[int, ...] = (200,)
    ) -> tuple[Descriptor, bytes] | None:
        """The manifest, and what it is; `None` for a 404 that is accepted."""
        call = Call(
            inquiry,
            "GET",
            f"/v2/{repository}/manifests/{reference}",
            repository_scopes(repository, "pull"),
            accepted=accepted,
            headers=_ACCEPTED_MANIFESTS,
            small=MAX_MANIFEST_SIZE,
            absent=ManifestUnknownError,
        )
        response = self._channel.ask(call)
        if response.status == 404:
            check_absence(self._channel, inquiry, response, call.scopes)
            return None
        content = _read(inquiry, response, MAX_MANIFEST_SIZE)
        told = _told_digest(inquiry, response)
        wanted = _digest_or_none(reference)
        try:
            for digest in filter(None, (wanted, told)):
                verify_content(content, digest)
        except InvalidContentError as e:
            raise ContentMismatchError(inquiry, _finding(e)) from e
        written = _written_media_type(content)
        # What has the digest says of itself is right, whatever a proxy makes of it.
        told_type = written if written in MANIFEST_MEDIA_TYPES else _media_type(response)
        media_type = told_type or written
        if media_type is None:
            raise UnexpectedResponseError(inquiry, "it does not say what kind of manifest it sent")
        return Descriptor.of(content, media_type), content

    def put_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str
    ) -> StoredManifest:
        """Store a manifest under a tag or its digest, all of whose parts the registry has."""
        inquiry = self._inquiry("write", repository, reference)
        call = Call(
            inquiry,
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            repository_scopes(repository, "pull", "push"),
            accepted=(200, 201, 202),
            headers={"Content-Type": media_type},
            body=content,
        )
        response = self._channel.ask(call)
        response.discard()
        stored, wanted = _told_digest(inquiry, response), sha256_digest(content)
        if stored is not None and stored != wanted:
            raise ContentMismatchError(inquiry, f"it stored {stored} instead of {wanted}")
        is_listed = response.header("OCI-Subject") is not None
        return StoredManifest(is_told=stored is not None, is_listed=is_listed)

    def get_referrers(
        self, repository: str, subject: OciDigest
    ) -> tuple[ReferrerEntry, ...] | None:
        """What refers to `subject`; `None` if the registry keeps no list of that.

        https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
        """
        inquiry = self._inquiry("list what refers to", repository, subject)
        target = f"/v2/{repository}/referrers/{subject}"
        found: list[ReferrerEntry] = []
        for _ in range(_MAX_PAGES):
            call = Call(
                inquiry,
                "GET",
                target,
                repository_scopes(repository, "pull"),
                accepted=(200, *_UNKNOWN_PATH),
                headers={"Accept": MediaType.OCI_IMAGE_INDEX.value},
                small=MAX_MANIFEST_SIZE,
            )
            response = self._channel.ask(call)
            if response.status != 200 or is_for_people(response):
                response.discard()
                return None
            try:
                found += parse_referrers(_read(inquiry, response, MAX_MANIFEST_SIZE))
            except InvalidManifestError as e:
                raise UnexpectedResponseError(inquiry, str(e).rstrip(".")) from e
            next_page = _next_page(inquiry, response, target)
            if next_page is None:
                return tuple(found)
            target = next_page
        raise UnexpectedResponseError(inquiry, "its list of referrers has no end")

    def has_blob(self, repository: str, digest: OciDigest, *, to_write: bool = False) -> bool:
        """Whether the repository has a blob. With `to_write`, asked as somebody who may write."""
        call = Call(
            self._inquiry("look up the blob", repository, digest),
            "HEAD",
            f"/v2/{repository}/blobs/{digest}",
            _scopes(repository, to_write=to_write),
            accepted=(200, 404),
        )
        response = self._channel.ask(call)
        if response.status == 404:
            check_absence(self._channel, call.inquiry, response, call.scopes)
        response.discard()
        return response.status == 200

    def get_blob(
        self, repository: str, blob: Descriptor, *, is_small: bool = False
    ) -> Iterator[bytes]:
        """The content of a blob in chunks. Where it `is_small`, it is held in memory before.

        Raises at the end if it was other content: throw away what was made of it then.
        """
        inquiry = self._inquiry("read the blob", repository, blob.digest)
        call = Call(
            inquiry,
            "GET",
            f"/v2/{repository}/blobs/{blob.digest}",
            repository_scopes(repository, "pull"),
            small=blob.size if is_small else 0,
            absent=BlobUnknownError,
        )
        response = self._channel.ask(call)
        try:
            yield from verified_chunks(response.chunks(), blob.digest, blob.size)
        except InvalidContentError as e:
            raise ContentMismatchError(inquiry, _finding(e)) from e
        except TransportError as e:
            raise RegistryUnavailableError(inquiry, str(e)) from e
        finally:
            response.close()

    def read_blob(self, repository: str, blob: Descriptor) -> bytes:
        """The whole of a small blob, such as a config."""
        if blob.size > MAX_MANIFEST_SIZE:
            inquiry = self._inquiry("read the blob", repository, blob.digest)
            raise ContentMismatchError(inquiry, f"it has {blob.size} bytes, which is no config")
        return b"".join(self.get_blob(repository, blob, is_small=True))

    def upload_blob(
        self,
        repository: str,
        blob: Descriptor,
        open_body: OpenBody,
        *,
        source_repository: str | None = None,
    ) -> bool:
        """Store a blob, mounted from `source_repository` where that works, else sent.

        `open_body` opens its chunks, and may be called again for another attempt. Gives whether
        the bytes were sent.
        """
        inquiry = self._inquiry("upload the blob", repository, blob.digest)
        upload = BlobUpload(self._channel, inquiry, repository, blob.digest)
        return upload.send(blob.size, open_body, source_repository)

    def rehearse_upload(self, repository: str) -> None:
        """Begin an upload and cancel it: raises where not even that can be done."""
        inquiry = Inquiry(self.registry, f"begin an upload to {self.registry}/{repository}")
        BlobUpload(self._channel, inquiry, repository, sha256_digest(b"")).rehearse()

    def _inquiry(self, action: str, repository: str, reference: str) -> Inquiry:
        separator = ":" if _digest_or_none(reference) is None else "@"
        return Inquiry(
            self.registry, f"{action} {self.registry}/{repository}{separator}{reference}"
        )


def _scopes(repository: str, *, to_write: bool) -> Scopes:
    return repository_scopes(repository, *(("pull", "push") if to_write else ("pull",)))


def _describe(inquiry: Inquiry, response: Response, reference: str) -> Descriptor | None:
    wanted, told = _digest_or_none(reference), _told_digest(inquiry, response)
    if wanted and told and wanted != told:
        raise ContentMismatchError(inquiry, f"it answers for {told}")
    digest = wanted or told
    media_type = _media_type(response)
    size = response.header("Content-Length") or ""
    if digest is None or media_type is None or not _SIZE.fullmatch(size):
        return None
    return Descriptor(media_type, digest, int(size))


def _media_type(response: Response) -> str | None:
    written = (response.header("Content-Type") or "").partition(";")[0].strip()
    return written if written in MANIFEST_MEDIA_TYPES else None


def _written_media_type(content: bytes) -> str | None:
    try:
        return JsonObject.parse(content).optional_text("mediaType")
    except InvalidJsonError:
        return None


def _told_digest(inquiry: Inquiry, response: Response) -> OciDigest | None:
    told = response.header("Docker-Content-Digest")
    if not told:
        return None
    try:
        return parse_oci_digest(told)
    except InvalidOciDigestError as e:
        raise UnexpectedResponseError(inquiry, "its Docker-Content-Digest is not one") from e


def _digest_or_none(reference: str) -> OciDigest | None:
    return parse_oci_digest(reference) if ":" in reference else None


def _read(inquiry: Inquiry, response: Response, limit: int) -> bytes:
    try:
        return response.read(limit)
    except BodyTooLargeError as e:
        raise ContentMismatchError(inquiry, str(e)) from e
    except TransportError as e:
        raise RegistryUnavailableError(inquiry, str(e)) from e


def _next_page(inquiry: Inquiry, response: Response, target: str) -> str | None:
    """The target of the next page, which is asked of the same registry whatever the link says.

    https://www.rfc-editor.org/rfc/rfc8288#section-3
    """
    for address, relation in _LINK.findall(", ".join(response.header_values("Link"))):
        if relation == "next":
            try:
                return resolve_location(response.origin, target, address)[1]
            except InvalidUrlError as e:
                raise UnexpectedResponseError(inquiry, f"its next page is {e}") from e
    return None


def _finding(error: InvalidContentError) -> str:
    return str(error).rstrip(".")
