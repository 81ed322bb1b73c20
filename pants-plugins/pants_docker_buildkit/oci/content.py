"""Check that bytes are the content that a descriptor promised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest


class InvalidContentError(ValueError):
    """Bytes are not the content that a digest or a descriptor promised."""

    def __init__(self, digest: OciDigest, finding: str) -> None:
        self.digest = digest
        self.finding = finding
        super().__init__(f"The content {digest} {finding}.")


def verify_content(content: bytes, digest: OciDigest, size: int | None = None) -> bytes:
    """`content`, once it is known to have this `digest` and `size`."""
    if size is not None and len(content) != size:
        raise InvalidContentError(digest, f"must have {size} bytes, but has {len(content)}")
    actual = sha256_digest(content)
    if actual != digest:
        raise InvalidContentError(digest, f"is other content, {actual}")
    return content


def verified_chunks(chunks: Iterable[bytes], digest: OciDigest, size: int) -> Iterator[bytes]:
    """`chunks`, stopped with an error as soon as they cannot be the content any more.

    The digest is only known after the last chunk: whoever consumes the chunks must throw away what
    they made of them when this raises.
    """
    hasher = hashlib.sha256()
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if received > size:
            raise InvalidContentError(digest, f"must have {size} bytes, but has more")
        hasher.update(chunk)
        yield chunk
    if received != size:
        raise InvalidContentError(digest, f"must have {size} bytes, but has {received}")
    actual = f"sha256:{hasher.hexdigest()}"
    if actual != digest:
        raise InvalidContentError(digest, f"is other content, {actual}")
