from __future__ import annotations

import itertools

import pytest

from pants_docker_buildkit.oci.content import InvalidContentError, verified_chunks, verify_content
from pants_docker_buildkit.oci.digest import sha256_digest

CONTENT = b"content"
DIGEST = sha256_digest(CONTENT)


def test_verify_content_gives_the_content() -> None:
    assert verify_content(CONTENT, DIGEST, len(CONTENT)) == CONTENT


def test_verify_content_refuses_another_size() -> None:
    with pytest.raises(InvalidContentError, match="must have 3 bytes, but has 7"):
        verify_content(CONTENT, DIGEST, 3)


def test_verify_content_refuses_other_content() -> None:
    with pytest.raises(InvalidContentError, match="is other content, sha256:"):
        verify_content(b"tnetnoc", DIGEST, 7)


def test_verified_chunks_gives_the_chunks() -> None:
    assert list(verified_chunks([b"con", b"", b"tent"], DIGEST, 7)) == [b"con", b"", b"tent"]


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([b"cont"], "must have 7 bytes, but has 4"),
        ([b"con", b"tents"], "must have 7 bytes, but has more"),
        ([b"tnetnoc"], "is other content"),
    ],
)
def test_verified_chunks_refuses_what_differs(chunks: list[bytes], message: str) -> None:
    with pytest.raises(InvalidContentError, match=message):
        list(verified_chunks(chunks, DIGEST, 7))


def test_verified_chunks_stops_an_endless_body_at_the_promised_size() -> None:
    chunks = verified_chunks(itertools.repeat(b"more"), DIGEST, 7)
    assert next(chunks) == b"more"
    with pytest.raises(InvalidContentError, match="has more"):
        next(chunks)
