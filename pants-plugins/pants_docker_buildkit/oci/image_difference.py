"""In what do two builds of one image differ first?

The first differing file of the first differing layer is named, and how it differs; where all layers
are the same, the first differing member of the configuration.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

ReadBlob = Callable[[str], bytes]
"""Gives the content of the digest."""

_ABSENT = "absent"
_ONLY_COMPRESSED = (
    "its content is the same, but not how it is compressed. Versions of BuildKit differ in that;"
    ' with `compression="uncompressed"` digests do not depend on it'
)
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "hard link",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.DIRTYPE: "directory",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe",
}


@dataclass(frozen=True)
class _Entry:
    """One member of a layer, by what it can differ in, in words."""

    name: str
    aspects: Mapping[str, str]


def find_image_difference(one: str, other: str, read_one: ReadBlob, read_other: ReadBlob) -> str:
    """Where the images of two digests differ first, in a sentence; empty if nowhere.

    Each is an image for one platform or an index. Raises `ValueError` for what is neither.
    """
    if one == other:
        return ""
    first, second = json.loads(read_one(one)), json.loads(read_other(other))
    if "manifests" in first and "manifests" in second:
        images = zip_longest(first["manifests"], second["manifests"])
        for mine, theirs in images:
            if not (mine and theirs) or mine["digest"] != theirs["digest"]:
                platform = _platform(mine or theirs)
                if not (mine and theirs):
                    return f"{platform} is in one of them only"
                found = find_image_difference(
                    mine["digest"], theirs["digest"], read_one, read_other
                )
                return f"{platform}: {found}"
        return _document_difference("index", first, second)
    configs = [
        json.loads(read(manifest["config"]["digest"]))
        for read, manifest in ((read_one, first), (read_other, second))
    ]
    steps = [
        each.get("created_by", "")
        for each in configs[0].get("history") or ()
        if not each.get("empty_layer")
    ]
    contents = zip(*(each.get("rootfs", {}).get("diff_ids", ()) for each in configs))
    same = {number for number, (mine, theirs) in enumerate(contents) if mine == theirs}
    layers = zip_longest(first["layers"], second["layers"])
    compression = ""
    for number, (mine, theirs) in enumerate(layers):
        step = f" ({steps[number]})" if number < len(steps) else ""
        where = f"layer {number + 1}{step}"
        if not (mine and theirs):
            return f"{where} is in one of them only"
        if mine["digest"] != theirs["digest"]:
            if number in same:
                compression = compression or f"{where}: {_ONLY_COMPRESSED}"
                continue
            blobs = read_one(mine["digest"]), read_other(theirs["digest"])
            return f"{where}: {find_layer_difference(*blobs)}"
    return compression or _document_difference("configuration", *configs)


def _platform(descriptor: Mapping[str, Any]) -> str:
    platform = descriptor.get("platform") or {}
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(part for part in parts if part) or "an image"


def find_layer_difference(one: bytes, other: bytes) -> str:
    """Where two layers that are not the same bytes differ first, in words."""
    try:
        mine, theirs = list(_entries(one)), list(_entries(other))
    except (tarfile.TarError, OSError, EOFError) as e:
        return f"it cannot be read: {e}"
    names, other_names = [each.name for each in mine], [each.name for each in theirs]
    known, other_known = set(names), set(other_names)
    for name in (*names, *other_names):
        if name not in other_known or name not in known:
            which = "first" if name in known else "second"
            return f"{name} is in the {which} build only"
    for place, (name, other_name) in enumerate(zip_longest(names, other_names)):
        if name != other_name:
            return (
                f"{name} differs in order: the second build has {other_name} in place {place + 1}"
            )
    for entry, other_entry in zip(mine, theirs):
        aspects = [
            f"{aspect} ({value}, then {other_entry.aspects[aspect]})"
            for aspect, value in entry.aspects.items()
            if value != other_entry.aspects[aspect]
        ]
        if aspects:
            return f"{entry.name} differs in {', '.join(aspects)}"
    return "all files are the same, but not how they are packed"


def _entries(layer: bytes) -> Iterator[_Entry]:
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:*") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            content = b"" if file is None else file.read()
            attributes = {
                key: value
                for key, value in member.pax_headers.items()
                if key.startswith("SCHILY.xattr.")
            }
            aspects = {
                "kind": _KINDS.get(member.type, "unknown"),
                "content": f"{len(content)} bytes, {hashlib.sha256(content).hexdigest()[:12]}",
                "link": member.linkname,
                "mode": f"{member.mode & 0o7777:04o}",
                "owner": f"{member.uid}:{member.gid}",
                "owner's name": f"{member.uname}:{member.gname}",
                "time": f"{member.mtime:.9f}".rstrip("0").rstrip("."),
                "device": f"{member.devmajor}:{member.devminor}",
                "attributes": json.dumps(attributes, sort_keys=True),
            }
            yield _Entry("/" + member.name.strip("/").removeprefix("./"), aspects)


def _document_difference(name: str, one: Any, other: Any) -> str:
    """The first place at which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key, _ABSENT) != other.get(key, _ABSENT):
                return _document_difference(
                    f"{name}.{key}", one.get(key, _ABSENT), other.get(key, _ABSENT)
                )
    if isinstance(one, list) and isinstance(other, list):
        for number, (mine, theirs) in enumerate(zip_longest(one, other, fillvalue=_ABSENT)):
            if mine != theirs:
                return _document_difference(f"{name}[{number}]", mine, theirs)
    if one == other:
        return f"the {name} is written in another way"
    return f"{name} differs: {json.dumps(one)}, then {json.dumps(other)}"
