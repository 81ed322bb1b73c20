"""Pack an OCI image layout for an engine that loads it, and nothing else from its directory.

A layout may come from a cache that others write. Names and links in its directory are not packed:
each member has the name of its digest, and the content that was checked against it.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.layout import ImageLayout, blob_name


def add_layout(archive: tarfile.TarFile, layout: ImageLayout) -> None:
    """Add a layout whose image has no name: the engine would tag it.

    Raises `InvalidLayoutError`; what was packed until then is no whole archive: drop it.
    """
    root = layout.root()
    reachable = layout.reachable(root)
    _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    _add(archive, "index.json", _index(root))
    for descriptor in reachable:
        member = tarfile.TarInfo(blob_name(descriptor.digest))
        member.size = descriptor.size
        archive.addfile(member, _Stream(layout.stream(descriptor)))


def _index(root: Descriptor) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [root.to_document()]}).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


class _Stream(io.BytesIO):
    """Chunks as the file that `tarfile` wants, which reads them once from start to end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """As many bytes as are wanted. The end is read, too: it is where content is checked."""
        wanted = -1 if size is None else size
        while len(self._left) <= wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._left += chunk
        data, self._left = self._left[:wanted], self._left[wanted:]
        return data
