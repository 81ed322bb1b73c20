"""What does a build see?

The digest is taken from what the Pants engine reports about a tree; no file is read. Two contexts
with the same digest give BuildKit the same paths, kinds, contents, executable bits and link
targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pants_docker_buildkit.digests.encoding import Blake3Digest, blake3_digest, encode
from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    implied_directories,
)

DOMAIN = "pants-docker-buildkit context"
SCHEMA_VERSION = 1

_NO_NAMED_CONTEXTS: Mapping[str, Iterable[ContextEntry]] = MappingProxyType({})


class DuplicateContextPathError(ValueError):
    """Two entries of one context have the same path."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"A build context must have one entry for each path, but {path!r} has two."
        )


def context_digest(
    entries: Iterable[ContextEntry],
    named_contexts: Mapping[str, Iterable[ContextEntry]] = _NO_NAMED_CONTEXTS,
) -> Blake3Digest:
    """The digest of the main context and of the named contexts that are trees of files.

    The order of the entries does not matter, and neither does a directory that is listed although
    something lies in it.
    """
    return blake3_digest(encode_context(entries, named_contexts))


def encode_context(
    entries: Iterable[ContextEntry],
    named_contexts: Mapping[str, Iterable[ContextEntry]] = _NO_NAMED_CONTEXTS,
) -> bytes:
    """The bytes that `context_digest` hashes."""
    named = b"".join(
        encode(name) + _encode_tree(named_contexts[name]) for name in sorted(named_contexts)
    )
    return _list(
        encode(DOMAIN)
        + encode(SCHEMA_VERSION)
        + _encode_tree(entries)
        + b"m%d:%b" % (len(named), named)
    )


def _encode_tree(entries: Iterable[ContextEntry]) -> bytes:
    by_path: dict[str, ContextEntry] = {}
    has_directories = False
    for entry in entries:
        if by_path.setdefault(entry.path, entry) is not entry:
            raise DuplicateContextPathError(entry.path)
        has_directories = has_directories or isinstance(entry, DirectoryEntry)
    if has_directories:
        for directory in implied_directories(by_path):
            by_path.pop(directory, None)
    return _list(b"".join(_encode_entry(by_path[path]) for path in sorted(by_path)))


def _encode_entry(entry: ContextEntry) -> bytes:
    """The same bytes as `encode` gives for a list, written out because contexts are large."""
    path = entry.path.encode("utf-8")
    if isinstance(entry, FileEntry):
        mode = b"t0:" if entry.is_executable else b"f0:"
        content = entry.content_sha256.encode("ascii")
        size = b"%d" % entry.size
        return _list(
            b"s4:files%d:%b%bs%d:%bi%d:%b"
            % (len(path), path, mode, len(content), content, len(size), size)
        )
    if isinstance(entry, DirectoryEntry):
        return _list(b"s9:directorys%d:%b" % (len(path), path))
    target = entry.target.encode("utf-8")
    return _list(b"s7:symlinks%d:%bs%d:%b" % (len(path), path, len(target), target))


def _list(payload: bytes) -> bytes:
    return b"l%d:%b" % (len(payload), payload)
