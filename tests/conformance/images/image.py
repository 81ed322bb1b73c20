"""What is in an image: its files after all layers, and its config.

Read with the standard library alone, so that nothing of the plugin judges what the plugin made.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe",
}
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_XATTR = "SCHILY.xattr."


@dataclass(frozen=True)
class Node:
    """What one path of an image is.

    `step` is what the history says of the layer that the path is from, `identity` is equal for
    paths that are one file under several names.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    mtime: int
    step: str = ""
    link: str = ""
    content: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, str], ...] = ()
    identity: tuple[int, str] = (0, "")


@dataclass(frozen=True)
class Image:
    """An image for one platform."""

    nodes: Mapping[str, Node]
    config: Mapping[str, Any]
    annotations: Mapping[str, str]


def _blob(layout: Path, descriptor: Mapping[str, Any]) -> bytes:
    digest: str = descriptor["digest"]
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def read_images(layout: Path) -> dict[str, Image]:
    """The images of a layout, by platform, without attestations."""
    index = json.loads((layout / "index.json").read_bytes())
    return {
        platform: image
        for descriptor in index["manifests"]
        for platform, image in _read_images(layout, descriptor, {})
    }


def _read_images(
    layout: Path, descriptor: Mapping[str, Any], inherited: Mapping[str, str]
) -> Iterator[tuple[str, Image]]:
    manifest = json.loads(_blob(layout, descriptor))
    annotations = {
        **inherited,
        **_prefixed("descriptor", descriptor),
        **_prefixed("index" if "manifests" in manifest else "manifest", manifest),
    }
    for each in manifest.get("manifests") or ():
        if each.get("platform", {}).get("architecture") != "unknown":
            yield from _read_images(layout, each, annotations)
    if "config" in manifest:
        config = json.loads(_blob(layout, manifest["config"]))
        layers = [_blob(layout, each) for each in manifest["layers"] or ()]
        image = Image(apply_layers(layers, layer_steps(config)), config, annotations)
        yield _platform(config), image


def _prefixed(level: str, holder: Mapping[str, Any]) -> dict[str, str]:
    return {f"{level}:{key}": value for key, value in (holder.get("annotations") or {}).items()}


def _platform(config: Mapping[str, Any]) -> str:
    parts = (config.get("os"), config.get("architecture"), config.get("variant"))
    return "/".join(part for part in parts if part)


def layer_steps(config: Mapping[str, Any]) -> list[str]:
    """For each layer, what made it."""
    return [
        each.get("created_by", "")
        for each in config.get("history") or ()
        if not each.get("empty_layer")
    ]


def apply_layers(layers: list[bytes], steps: list[str]) -> dict[str, Node]:
    """The files that a container of these layers starts with."""
    nodes: dict[str, Node] = {}
    for number, content in enumerate(layers):
        step = steps[number] if number < len(steps) else ""
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as layer:
            _apply_layer(nodes, layer, number, step)
    return nodes


def _apply_layer(nodes: dict[str, Node], layer: tarfile.TarFile, number: int, step: str) -> None:
    added: dict[str, Node] = {}
    for member in layer:
        path = member.name.strip("/").removeprefix("./")
        if path in ("", "."):
            continue
        directory, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _remove(nodes, directory, itself=False)
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            _remove(nodes, f"{directory}/{hidden}" if directory else hidden, itself=True)
        elif member.islnk():
            target = member.linkname.strip("/").removeprefix("./")
            added[path] = added[target] if target in added else nodes[target]
        else:
            added[path] = _node(layer, member, (number, path), step)
    for path, node in added.items():
        if node.kind != "directory":
            _remove(nodes, path, itself=False)
        nodes[path] = node


def _remove(nodes: dict[str, Node], path: str, *, itself: bool) -> None:
    below = f"{path}/" if path else ""
    for each in [each for each in nodes if each.startswith(below)]:
        del nodes[each]
    if itself:
        nodes.pop(path, None)


def _node(
    layer: tarfile.TarFile, member: tarfile.TarInfo, identity: tuple[int, str], step: str
) -> Node:
    kind = _KINDS[member.type]
    xattrs = sorted(
        (key.removeprefix(_XATTR), value)
        for key, value in member.pax_headers.items()
        if key.startswith(_XATTR)
    )
    node = Node(
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime=int(member.mtime),
        step=step,
        xattrs=tuple(xattrs),
        identity=identity,
    )
    if kind == "symbolic link":
        return replace(node, link=member.linkname)
    if kind.endswith("device"):
        return replace(node, device=(member.devmajor, member.devminor))
    content = layer.extractfile(member) if kind == "file" else None
    return node if content is None else replace(node, content=_sha256(content))


def _sha256(content: IO[bytes]) -> str:
    return hashlib.sha256(content.read()).hexdigest()
