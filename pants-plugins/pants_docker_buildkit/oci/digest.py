"""What identifies content: the OCI digest and its parser."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

OciDigest = NewType("OciDigest", str)
"""A validated content digest, `sha256:` followed by 64 hex characters. Not a Pants `Digest`."""

DIGEST_REQUIREMENT = "be 'sha256:' followed by 64 lower-case hexadecimal characters"

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class InvalidOciDigestError(ValueError):
    """Text that should be a digest is not one. `requirement` completes "must …"."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.requirement = DIGEST_REQUIREMENT
        super().__init__(f"The digest {text!r} must {self.requirement}.")


def parse_oci_digest(text: str) -> OciDigest:
    """`text` as a digest.

    Only sha256 is accepted: it is the one algorithm that registries, BuildKit and Docker all write.
    """
    if not _SHA256.fullmatch(text):
        raise InvalidOciDigestError(text)
    return OciDigest(text)


def sha256_digest(content: bytes) -> OciDigest:
    """The digest of `content`."""
    return OciDigest(f"sha256:{hashlib.sha256(content).hexdigest()}")
