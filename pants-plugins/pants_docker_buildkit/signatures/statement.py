"""What is signed: an in-toto statement about the digest of an image, and the bundle it comes in.

https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.referrer import Referrer

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_TYPES = "application/vnd.dev.sigstore.bundle"
"""What the types of bundles of all versions begin with."""

SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
"""What `cosign sign` states of an image: that it is signed, and nothing else."""

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True)
class Statement:
    """An in-toto statement that is to be signed.

    Where not `is_exact`, any signed statement with the same predicate type is as good.
    """

    content: bytes
    predicate_type: str
    is_exact: bool = False

    @classmethod
    def of_signature(cls, image_digest: OciDigest) -> Statement:
        """What `cosign sign` signs. It has no time, so that it is the same whoever makes it."""
        algorithm, _, value = image_digest.partition(":")
        document = {
            "_type": _STATEMENT_TYPE,
            "subject": [{"digest": {algorithm: value}}],
            "predicateType": SIGNATURE_PREDICATE,
            "predicate": {},
        }
        content = json.dumps(document, separators=(",", ":")).encode()
        return cls(content, SIGNATURE_PREDICATE)

    @property
    def identity(self) -> str:
        """Another text for another statement, unless that is as good."""
        digest = hashlib.sha256(self.content if self.is_exact else b"").hexdigest()
        return f"{self.predicate_type} {digest}"

    def is_in(self, bundle: bytes) -> bool:
        """Whether a bundle has this statement, or one that is as good. Verifies nothing."""
        payload = _payload(bundle)
        if payload is None or self.is_exact:
            return payload == self.content
        try:
            return JsonObject.parse(payload).optional_text("predicateType") == self.predicate_type
        except InvalidJsonError:
            return False

    def referrer(self, subject: Descriptor, bundle: bytes) -> Referrer:
        """The signed statement as it lies beside an image."""
        annotations = (
            ("dev.sigstore.bundle.content", "dsse-envelope"),
            ("dev.sigstore.bundle.predicateType", self.predicate_type),
        )
        return Referrer(subject, BUNDLE_TYPE, bundle, annotations)


def _payload(bundle: bytes) -> bytes | None:
    """The statement of a bundle; `None` where it has none."""
    try:
        envelope = JsonObject.parse(bundle).member("dsseEnvelope")
        return base64.b64decode(envelope.text("payload"), validate=True)
    except (InvalidJsonError, binascii.Error, ValueError):
        return None
