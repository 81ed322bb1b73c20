"""Is an image signed as it must be? Asked of its repository, and verified by cosign.

Looked at are bundles that refer to the image (cosign 3, GitHub's attestations), and the tag
`sha256-….sig` of earlier versions of cosign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.layout import blob_name, write_layout_files
from pants_docker_buildkit.oci.manifest import ImageManifest, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import INDEX_MEDIA_TYPES
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.oci.referrer import ReferrerEntry, referrers_tag
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import (
    BlobUnknownError,
    ContentMismatchError,
    ManifestUnknownError,
    NameUnknownError,
)
from pants_docker_buildkit.registry.referrers import ReferrerList, list_referrers
from pants_docker_buildkit.signatures.cosign import Cosign
from pants_docker_buildkit.signatures.errors import NotSignedError
from pants_docker_buildkit.signatures.notes import note_path, write_note
from pants_docker_buildkit.signatures.rules import SignatureRule
from pants_docker_buildkit.signatures.statement import BUNDLE_TYPES, Statement

_KIND = "kind"
_IMAGE = "dev.cosignproject.cosign/image"
_INDEX = "dev.cosignproject.cosign/imageIndex"
_SIGNATURES = "dev.cosignproject.cosign/sigs"
_UNTOLD_TYPES = ("", "application/vnd.oci.empty.v1+json")
"""What cosign 3 itself writes as artifact type of a bundle in lists under fallback tags."""


@dataclass(frozen=True)
class _Candidate:
    """What may be a signature: its manifest, and the blobs of that."""

    descriptor: Descriptor
    manifest: bytes
    contents: Mapping[OciDigest, bytes]
    is_bundle: bool


class Verification:
    """Verifies signatures. What was verified once is noted, in a directory of this user."""

    def __init__(self, cosign: Cosign, notes: Path) -> None:
        self._cosign = cosign
        self._notes = notes

    def lacking(
        self,
        client: RegistryClient,
        name: ImageReference,
        statements: Sequence[Statement],
        get_rule: Callable[[], SignatureRule],
    ) -> Sequence[Statement]:
        """The statements that no bundle beside a pinned image has, signed as a rule says.

        The rule is asked for where there is a bundle. Raises a `RegistryError` or a
        `SignatureError`.
        """
        assert name.digest is not None
        listed = list_referrers(client, name.repository, name.digest)
        if not any(map(_is_bundle, listed.entries)):
            return statements
        rule = get_rule()
        return [
            each for each in statements if not self._has_statement(listed, name.digest, each, rule)
        ]

    def note_made(
        self, subject: OciDigest, made: OciDigest, statement: Statement, rule: SignatureRule
    ) -> None:
        """Note that the key of a rule made a signature, which then needs no verification."""
        _write(self._note(made, subject, rule, statement.identity))

    def _has_statement(
        self, listed: ReferrerList, subject: OciDigest, statement: Statement, rule: SignatureRule
    ) -> bool:
        def note_of(entry: ReferrerEntry) -> Optional[Path]:
            return self._note(entry.digest, subject, rule, statement.identity)

        if listed.has(lambda entry: _is_noted([note_of(entry)])):
            return True
        client, repository = listed.client, listed.repository
        for entry in filter(_is_bundle, listed.entries):
            bundle = _read_bundle(client, repository, subject, entry)
            if bundle is None or not any(map(statement.is_in, bundle.contents.values())):
                continue
            with suppress(NotSignedError):
                self._verify(bundle, Descriptor(bundle.descriptor.media_type, subject, 1), rule, {})
                _write(note_of(entry))
                return True
        return False

    def check(
        self, client: RegistryClient, name: ImageReference, rules: Sequence[SignatureRule]
    ) -> None:
        """Raise `NotSignedError` unless a pinned image is signed as one of these rules says.

        Raises a `RegistryError` or a `SignatureError` where that cannot be found out.
        """
        subject, repository = name.digest, name.repository
        assert subject is not None
        wanted = [each.read() for each in rules]
        finding = "Nothing beside it is a signature."
        for candidate in _candidates(client, repository, subject):
            notes = [self._note(candidate.descriptor.digest, subject, rule) for rule in wanted]
            if _is_noted(notes):
                return
            image, content = Descriptor(candidate.descriptor.media_type, subject, 1), b""
            if not candidate.is_bundle:
                image, content = client.get_manifest(repository, subject)
            for rule, note in zip(wanted, notes):
                try:
                    self._verify(candidate, image, rule, {subject: content} if content else {})
                except NotSignedError as e:
                    finding = str(e)
                else:
                    _write(note)
                    return
        raise NotSignedError(finding)

    def _verify(
        self,
        candidate: _Candidate,
        image: Descriptor,
        rule: SignatureRule,
        contents: Mapping[OciDigest, bytes],
    ) -> None:
        """Have cosign verify one signature. Raises `NotSignedError`."""
        manifest = {candidate.descriptor.digest: candidate.manifest}
        with self._cosign.scratch() as directory:
            layout = directory / "image"
            _write_layout(layout, image, candidate, {**candidate.contents, **manifest, **contents})
            self._cosign.verify(layout, rule.arguments_in(directory))

    def _note(
        self, found: OciDigest, subject: OciDigest, rule: SignatureRule, statement: str = ""
    ) -> Optional[Path]:
        """Where it is noted that it was verified; `None` where it has to be verified again."""
        if not rule.is_lasting:
            return None
        return note_path(self._notes, rule.identity, subject, found, statement)


def _write(note: Optional[Path]) -> None:
    if note is not None:
        write_note(note)


def _is_noted(notes: Iterable[Optional[Path]]) -> bool:
    return any(note is not None and note.exists() for note in notes)


def _is_bundle(entry: ReferrerEntry) -> bool:
    kind = entry.artifact_type
    return kind in _UNTOLD_TYPES or kind.startswith(BUNDLE_TYPES)


def _candidates(
    client: RegistryClient, repository: str, subject: OciDigest
) -> Iterator[_Candidate]:
    """What may be a signature: bundles first."""
    for entry in filter(_is_bundle, list_referrers(client, repository, subject).entries):
        bundle = _read_bundle(client, repository, subject, entry)
        if bundle is not None:
            yield bundle
    tagged = _read_tagged(client, repository, subject)
    if tagged is not None:
        yield tagged


def _read_bundle(
    client: RegistryClient, repository: str, subject: OciDigest, entry: ReferrerEntry
) -> _Candidate | None:
    """The bundle that a list names; `None` where it is none, or of another image."""
    found = _read(client, repository, entry.digest)
    if found is None or found[2].subject is None or found[2].subject.digest != subject:
        return None
    descriptor, content, manifest = found
    layers = [each for each in manifest.layers if each.media_type.startswith(BUNDLE_TYPES)]
    contents = _blobs(client, repository, layers)
    if not contents:
        return None
    return _Candidate(descriptor, content, contents, is_bundle=True)


def _read_tagged(client: RegistryClient, repository: str, subject: OciDigest) -> _Candidate | None:
    """What `cosign sign` of version 2 wrote.

    https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#storage
    """
    found = _read(client, repository, f"{referrers_tag(subject)}.sig")
    if found is None:
        return None
    descriptor, content, manifest = found
    contents = _blobs(client, repository, manifest.children)
    return _Candidate(descriptor, content, contents, is_bundle=False)


def _read(
    client: RegistryClient, repository: str, reference: str
) -> tuple[Descriptor, bytes, ImageManifest] | None:
    """A manifest; `None` where there is none, or none of an artifact."""
    try:
        descriptor, content = client.get_manifest(repository, reference)
        manifest = parse_manifest(content, descriptor.media_type)
    except (ManifestUnknownError, NameUnknownError, InvalidManifestError):
        return None
    return (descriptor, content, manifest) if isinstance(manifest, ImageManifest) else None


def _blobs(
    client: RegistryClient, repository: str, blobs: Iterable[Descriptor]
) -> Mapping[OciDigest, bytes]:
    """What of these there is. A signature has no large parts, so none is read."""
    found = {}
    for blob in blobs:
        # What is missing, or something else, is no signature, and another one may be.
        with suppress(BlobUnknownError, ContentMismatchError):
            found[blob.digest] = client.read_blob(repository, blob)
    return found


def _write_layout(
    directory: Path, image: Descriptor, candidate: _Candidate, contents: Mapping[OciDigest, bytes]
) -> None:
    """An image with one signature, as `cosign save` writes what `cosign verify` reads."""
    for digest, content in contents.items():
        path = directory / blob_name(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # Bundles are found for what is called an image, whatever it is.
    is_index = image.media_type in INDEX_MEDIA_TYPES and not candidate.is_bundle
    manifests = [{**image.to_document(), "annotations": {_KIND: _INDEX if is_index else _IMAGE}}]
    if not candidate.is_bundle:
        signatures = candidate.descriptor.to_document()
        manifests.append({**signatures, "annotations": {_KIND: _SIGNATURES}})
    write_layout_files(directory, *manifests)
