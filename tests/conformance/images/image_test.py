"""What is read of layouts that are written here, layer by layer."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.images.image import Image, Node, read_images

pytestmark = pytest.mark.network_free

Layer = Sequence[tarfile.TarInfo]


def entry(name: str, kind: bytes = tarfile.REGTYPE, **attributes: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in attributes.items():
        setattr(member, key, value)
    return member


def directory(name: str) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, mode=0o755)


class LayoutWriter:
    """Writes a layout whose files are empty, or hold their name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)

    def blob(self, content: bytes) -> dict[str, Any]:
        name = hashlib.sha256(content).hexdigest()
        (self._directory / "blobs/sha256" / name).write_bytes(content)
        return {"digest": f"sha256:{name}", "size": len(content)}

    def manifest(self, *layers: Layer, architecture: str = "amd64") -> dict[str, Any]:
        history = [{"created_by": "CMD", "empty_layer": True}]
        history += [{"created_by": f"RUN {number}"} for number, _ in enumerate(layers)]
        config = {"os": "linux", "architecture": architecture, "history": history}
        manifest = {
            "config": self.blob(json.dumps(config).encode()),
            "layers": [self.blob(self._tar(layer)) for layer in layers],
            "annotations": {"team": "one"},
        }
        return self.blob(json.dumps(manifest).encode())

    def index(self, *manifests: dict[str, Any]) -> None:
        (self._directory / "index.json").write_text(json.dumps({"manifests": manifests}))

    def _tar(self, layer: Layer) -> bytes:
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
            for member in layer:
                content = member.name.encode() if member.isreg() else b""
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return written.getvalue()


def read(directory: Path, *layers: Layer) -> Image:
    writer = LayoutWriter(directory)
    writer.index(writer.manifest(*layers))
    return read_images(directory)["linux/amd64"]


def nodes(directory: Path, *layers: Layer) -> dict[str, Node]:
    return dict(read(directory, *layers).nodes)


def test_a_node_says_all_that_a_layer_says(tmp_path: Path) -> None:
    member = entry(
        "./a",
        mode=0o4750,
        uid=7,
        gid=8,
        mtime=9,
        pax_headers={"SCHILY.xattr.security.capability": "x"},
    )
    (node,) = nodes(tmp_path, [member]).values()
    assert (node.kind, node.mode, node.uid, node.gid, node.mtime) == ("file", 0o4750, 7, 8, 9)
    assert node.content == hashlib.sha256(b"./a").hexdigest()
    assert node.xattrs == (("security.capability", "x"),)
    assert node.step == "RUN 0"


def test_links_and_devices_say_where_they_lead(tmp_path: Path) -> None:
    found = nodes(
        tmp_path,
        [
            entry("s", tarfile.SYMTYPE, linkname="gone"),
            entry("c", tarfile.CHRTYPE, devmajor=1, devminor=3),
            entry("one"),
            entry("two", tarfile.LNKTYPE, linkname="one"),
        ],
    )
    assert (found["s"].kind, found["s"].link) == ("symbolic link", "gone")
    assert (found["c"].kind, found["c"].device) == ("character device", (1, 3))
    assert found["two"] == found["one"]


def test_later_layers_replace_and_hide(tmp_path: Path) -> None:
    found = nodes(
        tmp_path,
        [
            directory("d"),
            entry("d/one"),
            entry("d/two"),
            directory("o"),
            entry("o/old"),
            entry("f"),
        ],
        [entry("d/.wh.one"), entry("o/.wh..wh..opq"), entry("o/new"), directory("f")],
        [directory("g"), entry("g/below"), entry("d", mode=0o600)],
        [entry(".wh.g")],
    )
    assert sorted(found) == ["d", "f", "o", "o/new"]
    assert (found["f"].kind, found["d"].kind, found["d"].step) == ("directory", "file", "RUN 2")


def test_platforms_are_told_apart_and_attestations_left_out(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    manifests = [
        {**writer.manifest([entry(each)], architecture=each), "platform": {"architecture": each}}
        for each in ("amd64", "arm64", "unknown")
    ]
    index = {"manifests": manifests, "annotations": {"team": "two"}}
    writer.index(writer.blob(json.dumps(index).encode()))
    images = read_images(tmp_path)
    assert {platform: list(image.nodes) for platform, image in images.items()} == {
        "linux/amd64": ["amd64"],
        "linux/arm64": ["arm64"],
    }
    assert images["linux/amd64"].annotations == {"index:team": "two", "manifest:team": "one"}
