"""What is said about an image beside it: a manifest with a `subject`.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Union

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.manifest import ImageIndex, InvalidManifestError, parse_manifest
from pants_docker_buildkit.oci.media_types import MediaType

EMPTY_CONFIG = b"{}"
"""The config of an artifact that needs none."""

_EMPTY_MEDIA_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Referrer:
    """An artifact of one document that refers to an image. Equal documents give equal bytes.

    `annotations` are of the manifest and of its entry in an index. Where `stands_for_others`,
    another document of the same type and annotations is as good.
    """

    subject: Descriptor
    artifact_type: str
    document: bytes
    annotations: tuple[tuple[str, str], ...] = ()
    stands_for_others: bool = False

    @property
    def blobs(self) -> Mapping[Descriptor, bytes]:
        """What the manifest consists of."""
        return {
            Descriptor.of(EMPTY_CONFIG, _EMPTY_MEDIA_TYPE): EMPTY_CONFIG,
            Descriptor.of(self.document, self.artifact_type): self.document,
        }

    @property
    def manifest(self) -> bytes:
        """The manifest, without times."""
        config, layer = (each.to_document() for each in self.blobs)
        annotations = dict(self.annotations)
        document = {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_IMAGE_MANIFEST,
            "artifactType": self.artifact_type,
            "config": config,
            "layers": [{**layer, "annotations": annotations}],
            "subject": self.subject.to_document(),
            "annotations": annotations,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @property
    def digest(self) -> OciDigest:
        """The digest of the manifest."""
        return sha256_digest(self.manifest)

    def is_listed_as(self, entry: ReferrerEntry) -> bool:
        """Whether an entry is this one, or one that is as good."""
        if entry.digest == self.digest or not self.stands_for_others:
            # Registries there are that list the type of the config in place of the artifact's.
            return entry.digest == self.digest
        members = json.loads(entry.text)
        annotations = members.get("annotations") or {}
        is_same_type = members.get("artifactType") == self.artifact_type
        return is_same_type and all(annotations.get(key) == each for key, each in self.annotations)

    def entry(self) -> ReferrerEntry:
        """The manifest in a list of referrers."""
        described = Descriptor.of(self.manifest, MediaType.OCI_IMAGE_MANIFEST.value)
        members = {
            **described.to_document(),
            "artifactType": self.artifact_type,
            "annotations": dict(self.annotations),
        }
        return ReferrerEntry(described.digest, json.dumps(members))


@dataclass(frozen=True)
class GivenReferrer:
    """An artifact that refers to an image and that another program made, as it is."""

    subject: Descriptor
    manifest: bytes
    blobs: Mapping[Descriptor, bytes]

    @property
    def digest(self) -> OciDigest:
        """The digest of the manifest."""
        return sha256_digest(self.manifest)

    def entry(self) -> ReferrerEntry:
        """The manifest in a list of referrers, with the artifact type that it has there.

        https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
        """
        members = json.loads(self.manifest)
        config_type = members["config"]["mediaType"]
        described = Descriptor.of(self.manifest, MediaType.OCI_IMAGE_MANIFEST.value)
        document = {
            **described.to_document(),
            "artifactType": members.get("artifactType") or config_type,
            "annotations": members.get("annotations") or {},
        }
        return ReferrerEntry(self.digest, json.dumps(document))


AnyReferrer = Union[Referrer, GivenReferrer]
"""An artifact that refers to an image."""


@dataclass(frozen=True)
class ReferrerEntry:
    """What a list of referrers says of one of them: `text` is its descriptor, in JSON."""

    digest: OciDigest
    text: str

    @property
    def artifact_type(self) -> str:
        """What kind of artifact it is said to be; empty where that is not said."""
        said = json.loads(self.text).get("artifactType")
        return said if isinstance(said, str) else ""


def referrers_tag(subject: OciDigest) -> str:
    """Where referrers are listed by registries without an API for them.

    https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
    """
    return subject.replace(":", "-")


def render_referrers(entries: Iterable[ReferrerEntry]) -> bytes:
    """The image index that lists these."""
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_IMAGE_INDEX,
        "manifests": [json.loads(each.text) for each in entries],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def parse_referrers(content: bytes) -> tuple[ReferrerEntry, ...]:
    """What an image index lists. Raises `InvalidManifestError`."""
    listed = parse_manifest(content, MediaType.OCI_IMAGE_INDEX.value)
    if not isinstance(listed, ImageIndex):
        raise InvalidManifestError("it lists no referrers")
    # Members that are not known here are kept, too: the list is written again with one more.
    texts = (json.dumps(each) for each in json.loads(content)["manifests"] or ())
    return tuple(ReferrerEntry(each.digest, text) for each, text in zip(listed.manifests, texts))
