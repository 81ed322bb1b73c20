"""What identifies content: the OCI digest and its parser."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from pants_docker_buildkit.oci.invalid_text import InvalidTextError

OciDigest = NewType("OciDigest", str)
"""A validated content digest, `sha256:` followed by 64 hex characters. Not a Pants `Digest`."""

_REQUIREMENT = "be 'sha256:' followed by 64 lower-case hexadecimal characters"

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class InvalidOciDigestError(InvalidTextError):
    """Text that should be a digest is not one."""

    noun = "digest"


def parse_oci_digest(text: str) -> OciDigest:
    """`text` as a digest.

    Only sha256 is accepted: it is the one algorithm that registries, BuildKit and Docker all write.
    """
    if not _SHA256.fullmatch(text):
        raise InvalidOciDigestError(text, _REQUIREMENT)
    return OciDigest(text)


def sha256_digest(content: bytes) -> OciDigest:
    """The digest of `content`."""
    return OciDigest(f"sha256:{hashlib.sha256(content).hexdigest()}")
