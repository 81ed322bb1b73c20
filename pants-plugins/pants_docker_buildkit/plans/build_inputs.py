"""What is an image built from, in digests and hashes alone?

It is kept until the next build and is written into plans, so that a difference can be told. No
value of a build argument, label or secret is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pants_docker_buildkit.dockerfile.context_entries import ContextEntry, FileEntry, SymlinkEntry
from pants_docker_buildkit.oci.reference import ImageReference, InvalidNameError
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.definition import BuildDefinition

_MANY_FILES = 20_000
_MANY_LINES = 5_000
_SHORT = 16
_VALUES = ("build_args", "labels", "annotations", "secret_hashes")


@dataclass(frozen=True)
class BuildInputs:
    """What an image is built from.

    `members` are those of the `BuildDefinition`: of build arguments, labels, annotations and
    secrets a hash of each value, of everything outside what its name stands for. `lines` are hashes
    of the lines of the Dockerfile, `files` one for each path of the contexts, those of named ones
    as `NAME:PATH`. Either is empty where there are too many.
    """

    build_digest: str
    members: Mapping[str, Any]
    lines: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        build_digest: str,
        definition: BuildDefinition,
        dockerfile: bytes = b"",
        trees: Iterable[tuple[str, Iterable[ContextEntry]]] = (),
    ) -> BuildInputs:
        """What there is to say of a build. `trees` are its contexts by name, the main one as ''.

        The Dockerfile is an input of its own, and not said again as a file of the context.
        """
        lines = dockerfile.splitlines()
        known = [(name, tuple(entries)) for name, entries in trees]
        is_told = sum(len(entries) for _, entries in known) <= _MANY_FILES
        return cls(
            build_digest,
            json.loads(json.dumps(_members(definition))),
            tuple(_hash(each) for each in lines) if len(lines) <= _MANY_LINES else (),
            dict(_files(known, definition.dockerfile)) if is_told else {},
        )

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        return {
            "build_digest": self.build_digest,
            "members": self.members,
            "lines": list(self.lines),
            "files": self.files,
        }


def as_pinned(text: str) -> ImageReference | None:
    """The reference with a digest that a text is, if it is one."""
    try:
        reference = ImageReference.parse(text)
    except InvalidNameError:
        return None
    return reference if reference.is_pinned else None


def _members(definition: BuildDefinition) -> dict[str, Any]:
    members = definition.as_map()
    for name in _VALUES:
        members[name] = {key: _hidden(key, value) for key, value in getattr(definition, name)}
    members["named_contexts"] = {
        each.name: f"{each.kind.value} {redact(each.value)}".strip()
        for each in definition.named_contexts
    }
    sources: dict[str, str] = {}
    for each in definition.sources:
        identifier, number = redact(each.identifier), 1
        while identifier in sources:
            number += 1
            identifier = f"{redact(each.identifier)} ({number})"
        # What names its own digest cannot move. Without its query a URL may not tell all.
        pinned = each.checksum or redact(each.pinned)
        sources[identifier] = f"{pinned} {_hash(each.pinned.encode())}"
    members["sources"] = sources
    return members


def _hidden(name: str, value: str) -> str:
    """A hash of the value, unless that is an image by digest, which is worth being said."""
    return value if as_pinned(value) else _hash(f"{name}\0{value}".encode())


def _files(
    trees: Iterable[tuple[str, Iterable[ContextEntry]]], dockerfile: str
) -> Iterator[tuple[str, str]]:
    for name, entries in trees:
        prefix = f"{name}:" if name else ""
        for entry in entries:
            if isinstance(entry, FileEntry):
                if entry.content_sha256 != dockerfile:
                    mode = "x" if entry.is_executable else ""
                    yield f"{prefix}{entry.path}", f"{entry.content_sha256[:_SHORT]}{mode}"
            elif isinstance(entry, SymlinkEntry):
                yield f"{prefix}{entry.path}", f">{_hash(entry.target.encode())}"
            else:
                yield f"{prefix}{entry.path}", "/"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_SHORT]
