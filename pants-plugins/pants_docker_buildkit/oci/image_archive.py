"""Unpack an image archive: a tar with an OCI image layout, or one as `docker save` wrote it before.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md and
https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md, "Combined Image JSON + Filesystem
Changeset Format".

No name in the archive is ever a path on disk: blobs are written under their digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject, parse_json
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError, write_layout_files
from pants_docker_buildkit.oci.manifest import MAX_MANIFEST_SIZE
from pants_docker_buildkit.oci.media_types import MediaType

MAX_MEMBERS = 100_000
"""The most members an archive may have; images have a few for each layer."""

_CHUNK_SIZE = 1024 * 1024
_LAYOUT_MARKER = "oci-layout"
_DOCKER_MANIFEST = "manifest.json"
_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")
_NAMED_AFTER_CONTENT = re.compile(r"(?:.*/)?(?:sha256:)?([0-9a-f]{64})(?:\.json)?")
_COMPRESSIONS = ((b"\x1f\x8b", "+gzip"), (b"\x28\xb5\x2f\xfd", "+zstd"))
"""How a compressed layer begins, and what its media type ends in."""

_DAMAGE = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, LookupError)
"""What `tarfile` raises for tars that are none."""


class InvalidArchiveError(ValueError):
    """A tar that should hold an image does not hold a whole and sound one."""

    def __init__(self, finding: str) -> None:
        self.finding = finding
        super().__init__(f"The archive must hold a whole image, but {finding}.")


def unpack_image(archive: Path, directory: Path) -> Descriptor | None:
    """Write the image of an archive as an OCI image layout. `directory` must not exist.

    Gives its manifest or index, or `None` where the file is no tar, or one of something else. Of an
    index, images that are not in the archive are left out of the layout, as `docker save` leaves
    out those that were not pulled. Raises `InvalidArchiveError`.
    """
    with archive.open("rb") as file:
        members = _Members(file)
        if _LAYOUT_MARKER in members:
            return _unpack_layout(members, directory)
        images = _docker_images(members)
        return None if images is None else _convert(members, images, directory)


class _BoundedFile:
    """A file of which nobody reads much at once, such as a header that is as long as a disk."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        self._size = os.fstat(file.fileno()).st_size

    def seek(self, position: int) -> int:
        if not 0 <= position <= self._size:
            raise tarfile.ReadError("unexpected end of data")
        return self._file.seek(position)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_MANIFEST_SIZE:
            raise tarfile.ReadError("a header is too large")
        return self._file.read(size)


class _Members:
    """The files in a tar, each by its one name. There are none in what is no tar."""

    def __init__(self, file: BinaryIO) -> None:
        self._members = dict[str, tarfile.TarInfo]()
        self._damage: Exception | None = None
        position = -1
        try:
            # Without compression: nothing is ever decompressed.
            self._tar = tarfile.TarFile(fileobj=_BoundedFile(file))  # type: ignore[arg-type]
            for count, member in enumerate(self._tar):
                if count >= MAX_MEMBERS or member.offset <= position:
                    # With sizes below zero, a tar can lead back to where it begins.
                    raise tarfile.ReadError(f"it has more than {MAX_MEMBERS} members")
                position = member.offset
                self._add(member)
        except _DAMAGE as e:
            self._damage = e

    def _add(self, member: tarfile.TarInfo) -> None:
        name = posixpath.normpath(member.name)
        if member.isdir():
            return
        if name in self._members:
            raise tarfile.ReadError(f"{name!r} is there twice")
        self._members[name] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def check(self) -> None:
        """Raise where the tar could not be read to its end."""
        if self._damage is not None:
            raise InvalidArchiveError(f"it is damaged: {self._damage}") from self._damage

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file."""
        file = self._tar.extractfile(self._regular(name))
        assert file is not None
        while True:
            try:
                chunk = file.read(_CHUNK_SIZE)
            except _DAMAGE as e:
                raise InvalidArchiveError(f"its {name!r} is damaged: {e}") from e
            if not chunk:
                return
            yield chunk

    def small(self, name: str) -> bytes:
        """The whole content of a document."""
        content = b""
        for chunk in self.chunks(name):
            content += chunk
            if len(content) > MAX_MANIFEST_SIZE:
                raise InvalidArchiveError(f"its {name!r} is too large")
        return content

    def _regular(self, name: str) -> tarfile.TarInfo:
        member = self._members.get(posixpath.normpath(name))
        if member is not None and member.issym():
            # Docker 24 and before save a layer that is there twice as a link. It can lead to
            # nothing but another member.
            place = posixpath.join(posixpath.dirname(name), member.linkname)
            member = self._members.get(posixpath.normpath(place))
        if member is None:
            raise InvalidArchiveError(f"it lacks {name!r}")
        if not member.isreg() or member.issparse():
            raise InvalidArchiveError(f"its {name!r} is no plain file")
        return member


def _unpack_layout(members: _Members, directory: Path) -> Descriptor:
    members.check()
    blobs = _blobs_directory(directory)
    for name in (_LAYOUT_MARKER, "index.json"):
        (directory / name).write_bytes(members.small(name))
    for name in members:
        if _BLOB.fullmatch(name) is not None:
            with (directory / name).open("wb") as file:
                file.writelines(members.chunks(name))
    try:
        layout = ImageLayout.open(directory)
        root = layout.root()
        found = layout.reachable(root, skips_missing_images=True)
        for descriptor in found:
            for _ in layout.stream(descriptor):
                pass
    except InvalidLayoutError as e:
        raise InvalidArchiveError(e.finding) from e
    needed = {each.digest.partition(":")[2] for each in found}
    for path in blobs.iterdir():
        if path.name not in needed:
            path.unlink()
    write_layout_files(directory, root.to_document())
    return root


def _docker_images(members: _Members) -> list[JsonObject] | None:
    """The images that `manifest.json` lists. A file of that name may be anything else, too."""
    if _DOCKER_MANIFEST not in members:
        return None
    try:
        listed = parse_json(members.small(_DOCKER_MANIFEST))
    except (InvalidArchiveError, InvalidJsonError):
        return None
    if not isinstance(listed, list) or not listed:
        return None
    found = [JsonObject(each, "it") for each in listed if isinstance(each, dict)]
    is_images = len(found) == len(listed) and all("Config" in each for each in found)
    return found if is_images else None


def _convert(members: _Members, images: list[JsonObject], directory: Path) -> Descriptor:
    """The one image of an archive without a layout, whose layers stay as they are."""
    members.check()
    if len(images) != 1:
        raise InvalidArchiveError(f"it holds {len(images)} images, not one")
    try:
        config_name, layer_names = images[0].text("Config"), images[0].texts("Layers")
        config = members.small(config_name)
        diff_ids = JsonObject.parse(config).member("rootfs").texts("diff_ids")
    except InvalidJsonError as e:
        raise InvalidArchiveError(f"of {_DOCKER_MANIFEST} or the config, {e}") from e
    named = _NAMED_AFTER_CONTENT.fullmatch(config_name)
    if named is not None and sha256_digest(config) != f"sha256:{named[1]}":
        raise InvalidArchiveError(f"its {config_name!r} is other content than its name says")
    if len(layer_names) != len(diff_ids):
        raise InvalidArchiveError(
            f"it has {len(layer_names)} layers, and its config names {len(diff_ids)}"
        )
    blobs = _blobs_directory(directory)
    layers = [
        _write_layer(members, name, diff_id, blobs) for name, diff_id in zip(layer_names, diff_ids)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_IMAGE_MANIFEST,
        "config": _write(config, MediaType.OCI_IMAGE_CONFIG, blobs).to_document(),
        "layers": [each.to_document() for each in layers],
    }
    content = json.dumps(manifest, separators=(",", ":")).encode()
    root = _write(content, MediaType.OCI_IMAGE_MANIFEST, blobs)
    write_layout_files(directory, root.to_document())
    return root


def _write_layer(members: _Members, name: str, diff_id: str, blobs: Path) -> Descriptor:
    """Write a layer. What is not compressed must be what the config names."""
    hasher, size, start = hashlib.sha256(), 0, b""
    incoming = blobs / "incoming"
    with incoming.open("wb") as file:
        for chunk in members.chunks(name):
            start = start or chunk[:4]
            hasher.update(chunk)
            size += len(chunk)
            file.write(chunk)
    compression = next((end for magic, end in _COMPRESSIONS if start.startswith(magic)), "")
    digest = OciDigest(f"sha256:{hasher.hexdigest()}")
    if not compression and digest != diff_id:
        raise InvalidArchiveError(f"its layer {name!r} is {digest}, and must be {diff_id}")
    incoming.replace(blobs / hasher.hexdigest())
    return Descriptor(f"{MediaType.OCI_LAYER}{compression}", digest, size)


def _write(content: bytes, media_type: MediaType, blobs: Path) -> Descriptor:
    descriptor = Descriptor.of(content, media_type)
    (blobs / descriptor.digest.partition(":")[2]).write_bytes(content)
    return descriptor


def _blobs_directory(directory: Path) -> Path:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    return blobs
