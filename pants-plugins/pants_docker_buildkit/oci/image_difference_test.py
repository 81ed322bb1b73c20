from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from pants_docker_buildkit.oci.image_difference import find_image_difference, find_layer_difference

Changes = dict[str, Any]


def layer(*members: tuple[str, Changes], is_compressed: bool = True) -> bytes:
    """A real layer: a file for each name, with what is to be special about it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, changes in members:
            content = changes.get("content", b"text")
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o644, 1
            for key, value in changes.items():
                if key != "content":
                    setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(file.getvalue()) if is_compressed else file.getvalue()


SAME: tuple[str, Changes] = ("etc/a", {})


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        pytest.param({}, {"mtime": 2}, "/b differs in time (1, then 2)", id="time"),
        pytest.param({}, {"mtime": 1.5}, "/b differs in time (1, then 1.5)", id="nanoseconds"),
        pytest.param({}, {"mode": 0o755}, "/b differs in mode (0644, then 0755)", id="mode"),
        pytest.param({}, {"uid": 7}, "/b differs in owner (0:0, then 7:0)", id="owner"),
        pytest.param(
            {"content": b"ab"},
            {"content": b"cd"},
            "/b differs in content (2 bytes, fb8e20fc2e4c, then 2 bytes, 21e721c35a58)",
            id="content",
        ),
        pytest.param(
            {"mtime": 1, "mode": 0o600},
            {"mtime": 3, "mode": 0o644},
            "/b differs in mode (0600, then 0644), time (1, then 3)",
            id="several",
        ),
        pytest.param(
            {"type": tarfile.SYMTYPE, "linkname": "a", "size": 0},
            {"type": tarfile.SYMTYPE, "linkname": "c", "size": 0},
            "/b differs in link (a, then c)",
            id="link",
        ),
    ],
)
def test_how_the_first_file_differs_is_said(one: Changes, other: Changes, found: str) -> None:
    later = ("c", {"mtime": 9})
    layers = layer(SAME, ("b", one), later), layer(SAME, ("b", other), ("c", {}))
    assert find_layer_difference(*layers) == found


def test_order_presence_and_packing_are_told_apart() -> None:
    nothing: Changes = {}
    first, second = ("a", nothing), ("b", nothing)
    assert find_layer_difference(layer(first, second), layer(second, first)) == (
        "/a differs in order: the second build has /b in place 1"
    )
    assert find_layer_difference(layer(first, second), layer(first)) == (
        "/b is in the first build only"
    )
    assert find_layer_difference(layer(first), layer(first, second)) == (
        "/b is in the second build only"
    )
    assert find_layer_difference(layer(first), layer(first, is_compressed=False)) == (
        "all files are the same, but not how they are packed"
    )
    assert find_layer_difference(b"no archive", layer(first)).startswith("it cannot be read: ")


def _uncompressed(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer


class Store:
    """Blobs by digest."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, content: Any) -> str:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return digest

    def image(self, *layers: bytes, **config: Any) -> str:
        history = [{"created_by": f"RUN {number}"} for number in range(len(layers))]
        diff_ids = [hashlib.sha256(_uncompressed(each)).hexdigest() for each in layers]
        config = {"history": history, "rootfs": {"diff_ids": diff_ids}, **config}
        manifest = {
            "config": {"digest": self.add(config)},
            "layers": [{"digest": self.add(each)} for each in layers],
        }
        return self.add(manifest)

    def index(self, *images: str) -> str:
        platforms = ({"os": "linux", "architecture": each} for each in ("amd64", "arm64"))
        return self.add(
            {"manifests": [{"digest": d, "platform": p} for d, p in zip(images, platforms)]}
        )


def test_the_first_differing_layer_is_named_with_its_step() -> None:
    store = Store()
    read = store.blobs.__getitem__
    old, new = layer(SAME), layer(("etc/a", {"mtime": 5}))
    same = store.image(old)
    one, other = store.image(old, old, old), store.image(old, new, new)
    assert find_image_difference(same, same, read, read) == ""
    assert (
        find_image_difference(store.index(same, one), store.index(same, other), read, read)
        == "linux/arm64: layer 2 (RUN 1): /etc/a differs in time (1, then 5)"
    )
    assert find_image_difference(same, store.image(old, old), read, read) == (
        "layer 2 is in one of them only"
    )
    created = store.image(old, created="1"), store.image(old, created="2")
    assert find_image_difference(*created, read, read) == (
        'configuration.created differs: "1", then "2"'
    )


def test_compression_is_named_only_where_nothing_else_differs() -> None:
    store = Store()
    read = store.blobs.__getitem__
    one, other = layer(SAME), layer(SAME, is_compressed=False)
    found = find_image_difference(store.image(one), store.image(other), read, read)
    assert found.startswith("layer 1 (RUN 0): its content is the same, but not how it is compr")
    changed = store.image(other, layer(("etc/a", {"mtime": 5})))
    assert find_image_difference(store.image(one, one), changed, read, read) == (
        "layer 2 (RUN 1): /etc/a differs in time (1, then 5)"
    )
