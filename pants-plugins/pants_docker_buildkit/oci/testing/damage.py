"""Damage a sound document: what comes of it gets further into a parser than random bytes."""

from __future__ import annotations

from collections.abc import Iterable

Edit = tuple[int, int, int, bytes]
"""What is done, where, to how many bytes, and with which other ones. Any numbers will do."""

JSON_PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b'""', b"{}", b"[]", b"[[", b"null", b"true"),
    *(b"-1", b"1e999", b"NaN", b"0.5", b"9" * 20, b"9" * 5000, b"-", b"\\", b"\\u0000"),
    *(
        b'"\\ud800"',
        b"\\ud83d",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\0",
        b"\n",
        b"sha256:",
    ),
    *(b'"sha256:' + b"0" * 64 + b'"', b'"schema":', b'"manifests":', b'"digest":', b'"a":1,'),
)


def damage(sample: bytes, edits: Iterable[Edit]) -> bytes:
    """`sample` with these edits made one after the other."""
    for kind, position, length, piece in edits:
        start = position % (len(sample) + 1)
        end = start + length
        before, cut, after = sample[:start], sample[start:end], sample[end:]
        sample = (
            before + after,
            before + piece + after,
            before + piece + cut + after,
            before + cut + cut + after,
            before,
            before + bytes(each ^ 1 << position % 8 for each in cut) + after,
            after + cut + before,
        )[kind % 7]
    return sample
