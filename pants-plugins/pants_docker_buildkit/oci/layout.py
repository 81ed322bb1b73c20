"""Read an OCI image layout: a directory of blobs with an index of what they are.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pants_docker_buildkit.oci.content import InvalidContentError, verified_chunks
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.manifest import (
    MAX_INDEX_DEPTH,
    MAX_MANIFEST_SIZE,
    ImageIndex,
    InvalidManifestError,
    Manifest,
    parse_manifest,
)
from pants_docker_buildkit.oci.media_types import MediaType, is_foreign_layer, is_manifest

_LAYOUT_VERSION = "1.0.0"
_CHUNK_SIZE = 1024 * 1024

_NO_FILE = (None, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""What says that there is no such file: a link or a socket is none, either."""


class InvalidLayoutError(ValueError):
    """A directory that should be an OCI image layout is not a whole and sound one."""

    def __init__(self, directory: Path, finding: str) -> None:
        self.directory = directory
        self.finding = finding
        super().__init__(f"The directory {directory} must be an OCI image layout, but {finding}.")


class ImageLayout:
    """An OCI image layout on disk. Nothing it gives was not checked against its digest."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def open(cls, directory: Path) -> ImageLayout:
        """The layout in `directory`, if its marker file says that it is one."""
        layout = cls(directory)
        try:
            version = JsonObject.parse(layout._read_small("oci-layout")).text("imageLayoutVersion")
        except InvalidJsonError as e:
            raise InvalidLayoutError(directory, f"in its file oci-layout, {e}") from e
        if version != _LAYOUT_VERSION:
            raise InvalidLayoutError(directory, f"its version is {version}, not {_LAYOUT_VERSION}")
        return layout

    def index(self) -> ImageIndex:
        """The layout's table of contents."""
        try:
            content = parse_manifest(self._read_small("index.json"))
        except InvalidManifestError as e:
            raise InvalidLayoutError(self.directory, f"of index.json: {e}") from e
        if not isinstance(content, ImageIndex):
            raise InvalidLayoutError(self.directory, "index.json lists no manifests")
        return content

    def root(self) -> Descriptor:
        """The one image (or image index) that this layout holds."""
        images = set(self.index().images)
        digests = {each.digest for each in images}
        if len(digests) != 1:
            raise InvalidLayoutError(self.directory, f"it holds {len(digests)} images, not one")
        return min(images, key=lambda each: each.annotations)

    def blob_path(self, digest: OciDigest) -> Path:
        """Where the content of `digest` lies, or would lie."""
        return self.directory / blob_name(digest)

    def has_blob(self, digest: OciDigest) -> bool:
        """Whether there is a regular file for `digest`."""
        path = self.blob_path(digest)
        return path.is_file() and not path.is_symlink()

    def read(self, descriptor: Descriptor) -> bytes:
        """The whole content of a manifest or config; layers are streamed."""
        if descriptor.size > MAX_MANIFEST_SIZE:
            raise InvalidLayoutError(self.directory, f"{descriptor.digest} is too large to read")
        return b"".join(self.stream(descriptor))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The content of any blob in chunks; raises at the end if it was other content."""
        chunks = self._chunks(descriptor.digest)
        try:
            yield from verified_chunks(chunks, descriptor.digest, descriptor.size)
        except InvalidContentError as e:
            raise InvalidLayoutError(self.directory, str(e).rstrip(".")) from e

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """The manifest or index that `descriptor` names."""
        try:
            return parse_manifest(self.read(descriptor), descriptor.media_type)
        except InvalidManifestError as e:
            raise InvalidLayoutError(self.directory, f"of {descriptor.digest}: {e}") from e

    def reachable(
        self, root: Descriptor, *, skips_missing_images: bool = False
    ) -> tuple[Descriptor, ...]:
        """Everything that `root` consists of, each once, children before their parents.

        This is the order in which a registry takes it. Foreign layers that the layout leaves out,
        which it may, are left out here. So are images of an index whose manifests are not there,
        with `skips_missing_images`, as long as one is.
        """
        found: dict[OciDigest, Descriptor] = {}
        self._collect(root, found, 0, skips_missing_images=skips_missing_images)
        return tuple(found.values())

    def _collect(
        self,
        descriptor: Descriptor,
        found: dict[OciDigest, Descriptor],
        depth: int,
        *,
        skips_missing_images: bool,
    ) -> None:
        if descriptor.digest in found:
            return
        if depth > MAX_INDEX_DEPTH:
            raise InvalidLayoutError(self.directory, "its indexes are nested too deeply")
        if is_foreign_layer(descriptor.media_type) and not self.has_blob(descriptor.digest):
            return
        if is_manifest(descriptor.media_type):
            children = self.manifest(descriptor).children
            if skips_missing_images:
                children = self._without_missing_images(children)
            for child in children:
                self._collect(child, found, depth + 1, skips_missing_images=skips_missing_images)
        elif not self.has_blob(descriptor.digest):
            raise InvalidLayoutError(self.directory, f"it lacks the blob {descriptor.digest}")
        found[descriptor.digest] = descriptor

    def _without_missing_images(self, children: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
        there = tuple(
            each
            for each in children
            if not is_manifest(each.media_type) or self.has_blob(each.digest)
        )
        return there if any(not each.is_attestation for each in there) else children

    def _chunks(self, digest: OciDigest) -> Iterator[bytes]:
        try:
            descriptor = _open_regular(self.blob_path(digest))
        except OSError as e:
            finding = why_unread(e, f"it lacks the blob {digest}", f"its blob {digest}")
            raise InvalidLayoutError(self.directory, finding) from e
        with os.fdopen(descriptor, "rb") as file:
            while chunk := file.read(_CHUNK_SIZE):
                yield chunk

    def _read_small(self, name: str) -> bytes:
        try:
            with os.fdopen(_open_regular(self.directory / name), "rb") as file:
                content = file.read(MAX_MANIFEST_SIZE + 1)
        except OSError as e:
            finding = why_unread(e, f"it has no {name}", f"its {name}")
            raise InvalidLayoutError(self.directory, finding) from e
        if len(content) > MAX_MANIFEST_SIZE:
            raise InvalidLayoutError(self.directory, f"its {name} is too large")
        return content


def why_unread(error: OSError, absent: str, what: str) -> str:
    """That a file is `absent`, or why `what` is there and cannot be read."""
    return absent if error.errno in _NO_FILE else f"{what} cannot be read: {error.strerror}"


def blob_name(digest: OciDigest) -> str:
    """Where the content of `digest` lies in each layout, relative to its directory.

    https://github.com/opencontainers/image-spec/blob/main/image-layout.md#blobs
    """
    return f"blobs/{digest.replace(':', '/')}"


def write_layout_files(directory: Path, *roots: Mapping[str, object]) -> None:
    """Make a directory with blobs a layout of the images and image indexes that are described."""
    index = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_IMAGE_INDEX,
        "manifests": roots,
    }
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": _LAYOUT_VERSION}))


def _open_regular(path: Path) -> int:
    """A descriptor of a regular file. Raises `OSError` for anything else.

    A link could lead out of the layout, to a file that its maker may not read, and a device or a
    pipe may never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor
