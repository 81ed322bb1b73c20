"""What identifies a build, before it is run?

Two builds with the same digest may share a record. So the definition must hold everything that can
change the image and nothing else; what that is, its author decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from pants_docker_buildkit.digests.encoding import Blake3Digest, Encodable, blake3_digest, encode

DOMAIN = "pants-docker-buildkit build"

SCHEMA_VERSION = 2
"""Raised when a definition has to give another image than it did. Then every image is rebuilt."""


def build_digest(definition: Mapping[str, Encodable]) -> Blake3Digest:
    """The digest of a build definition, whatever the order of its maps."""
    return blake3_digest(encode_build(definition))


def encode_build(definition: Mapping[str, Encodable]) -> bytes:
    """The bytes that `build_digest` hashes."""
    return encode([DOMAIN, SCHEMA_VERSION, definition])
