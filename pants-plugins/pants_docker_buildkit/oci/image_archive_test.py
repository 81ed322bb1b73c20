from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.oci import image_archive
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_archive import InvalidArchiveError, unpack_image
from pants_docker_buildkit.oci.layout import ImageLayout
from pants_docker_buildkit.oci.manifest import ImageIndex, ImageManifest
from pants_docker_buildkit.oci.media_types import MediaType

LAYERS = (b"first layer" * 1000, b"second layer" * 1000)
CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "rootfs": {"type": "layers", "diff_ids": [sha256_digest(each) for each in LAYERS]},
}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def hexadecimal(content: bytes) -> str:
    return sha256_digest(content).partition(":")[2]


def pack(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def saved(
    layers: Iterable[bytes] = LAYERS, config: dict[str, Any] = CONFIG
) -> dict[str | tarfile.TarInfo, bytes]:
    """What `docker save` of Docker 24 and before writes, by path."""
    content = encoded(config)
    paths = {f"{position}/layer.tar": each for position, each in enumerate(layers)}
    name = f"{hexadecimal(content)}.json"
    manifest = [{"Config": name, "RepoTags": ["a:1", "b:2"], "Layers": list(paths)}]
    members: dict[str | tarfile.TarInfo, bytes] = {name: content, "repositories": b"{}"}
    members.update(paths)
    return {**members, "manifest.json": encoded(manifest)}


class Layout:
    """The members of an archive with a layout."""

    def __init__(self) -> None:
        self.members: dict[str | tarfile.TarInfo, bytes] = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'
        }

    def blob(self, content: bytes, media_type: str, **more: object) -> dict[str, object]:
        self.members[f"blobs/sha256/{hexadecimal(content)}"] = content
        return {**Descriptor.of(content, media_type).to_document(), **more}

    def image(self, architecture: str = "amd64", **more: object) -> dict[str, object]:
        config = encoded({**CONFIG, "architecture": architecture})
        manifest = {
            "schemaVersion": 2,
            "config": self.blob(config, MediaType.OCI_IMAGE_CONFIG),
            "layers": [self.blob(each, MediaType.OCI_LAYER) for each in LAYERS],
        }
        platform = {"os": "linux", "architecture": architecture}
        kind = MediaType.OCI_IMAGE_MANIFEST
        return self.blob(encoded(manifest), kind, platform=platform, **more)

    def finish(self, *roots: dict[str, object]) -> Layout:
        self.members["index.json"] = encoded({"schemaVersion": 2, "manifests": roots})
        return self

    def path(self, descriptor: dict[str, object]) -> str:
        return f"blobs/{str(descriptor['digest']).replace(':', '/')}"


def unpack(tmp_path: Path, members: dict[str | tarfile.TarInfo, bytes]) -> Descriptor | None:
    return unpack_image(pack(tmp_path / "image.tar", members.items()), tmp_path / "layout")


def check(tmp_path: Path) -> ImageLayout:
    """The layout, once all of it was read. Nothing else is there."""
    layout = ImageLayout.open(tmp_path / "layout")
    found = layout.reachable(layout.root(), skips_missing_images=True)
    for each in found:
        assert b"".join(layout.stream(each))
    names = {path.name for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    assert names == {each.digest.partition(":")[2] for each in found}
    return layout


def test_the_image_of_an_archive_of_docker_has_its_layers_as_they_are(tmp_path: Path) -> None:
    root = unpack(tmp_path, saved())
    layout = check(tmp_path)
    assert root == layout.root()
    manifest = layout.manifest(layout.root())
    assert isinstance(manifest, ImageManifest)
    assert [layout.read(each) for each in manifest.layers] == list(LAYERS)
    assert {each.media_type for each in manifest.layers} == {MediaType.OCI_LAYER}
    assert layout.read(manifest.config) == encoded(CONFIG)


def test_names_and_order_in_an_archive_are_not_in_its_image(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    members = dict(reversed(saved().items()))
    entry = json.loads(members["manifest.json"])[0]
    entry["RepoTags"] = None
    members["manifest.json"] = encoded([entry])
    renamed: dict[str | tarfile.TarInfo, bytes] = {
        f"./{name}": content for name, content in members.items()
    }
    assert unpack(tmp_path, saved()) == unpack(tmp_path / "other", renamed)


@pytest.mark.parametrize(
    ("packed", "ending"),
    [
        pytest.param(gzip.compress(LAYERS[0]), "+gzip", id="gzip"),
        pytest.param(b"\x28\xb5\x2f\xfd...", "+zstd", id="zstd"),
    ],
)
def test_a_compressed_layer_stays_compressed(tmp_path: Path, packed: bytes, ending: str) -> None:
    assert unpack(tmp_path, saved(layers=(packed, LAYERS[1]))) is not None
    layout = check(tmp_path)
    manifest = layout.manifest(layout.root())
    assert isinstance(manifest, ImageManifest)
    assert manifest.layers[0].media_type == f"{MediaType.OCI_LAYER}{ending}"
    assert layout.read(manifest.layers[0]) == packed


def test_a_layer_that_is_there_twice_may_be_a_link(tmp_path: Path) -> None:
    config = {**CONFIG, "rootfs": {"diff_ids": [sha256_digest(LAYERS[0])] * 2}}
    members = saved((LAYERS[0], b""), config)
    del members["1/layer.tar"]
    assert unpack(tmp_path, {**members, link("1/layer.tar", "../0/layer.tar"): b""}) is not None
    check(tmp_path)


def test_an_archive_with_a_layout_gives_the_same_digests(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.image(annotations={"org.opencontainers.image.ref.name": "latest"})
    layout.finish(image, {**image, "annotations": {"org.opencontainers.image.created": "now"}})
    layout.blob(b"of nothing", MediaType.OCI_LAYER)
    # As Docker 25 and later write it, for those that do not know layouts.
    layout.members["manifest.json"] = b"[{}]"
    root = unpack(tmp_path, layout.members)
    assert root is not None
    assert root.digest == image["digest"]
    assert check(tmp_path).root().annotations == ()


def test_an_index_stays_one_and_may_lack_images(tmp_path: Path) -> None:
    layout = Layout()
    images = [layout.image("amd64"), layout.image("arm64"), layout.image("s390x")]
    index = layout.blob(
        encoded({"schemaVersion": 2, "manifests": images}), MediaType.OCI_IMAGE_INDEX
    )
    layout.finish(index)
    del layout.members[layout.path(images[2])]
    root = unpack(tmp_path, layout.members)
    assert root is not None
    assert root.digest == index["digest"]
    unpacked = check(tmp_path)
    content = unpacked.manifest(root)
    assert isinstance(content, ImageIndex)
    assert [unpacked.has_blob(each.digest) for each in content.images] == [True, True, False]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no tar",
        gzip.compress(b"no tar"),
        pytest.param({"some/file": b"text"}, id="other-tar"),
        pytest.param({"manifest.json": b'{"name": "a web site"}'}, id="web-site"),
        pytest.param({"manifest.json": b"[]"}, id="empty-list"),
        pytest.param({"manifest.json": b"[" * 100_000}, id="nested"),
        pytest.param({link("manifest.json", "/etc/passwd"): b""}, id="link"),
        pytest.param({"index.json": b'{"schemaVersion": 2, "manifests": []}'}, id="index"),
    ],
)
def test_what_is_no_image_is_none(
    tmp_path: Path, content: bytes | dict[str | tarfile.TarInfo, bytes]
) -> None:
    path = tmp_path / "image.tar"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pack(path, content.items())
    assert unpack_image(path, tmp_path / "layout") is None


def without(name: str) -> dict[str | tarfile.TarInfo, bytes]:
    members = saved()
    del members[name]
    return members


def with_entry(**changes: object) -> dict[str | tarfile.TarInfo, bytes]:
    members = saved()
    entry = json.loads(members["manifest.json"])[0]
    return {**members, "manifest.json": encoded([{**entry, **changes}])}


LAYER_NAMES = ["0/layer.tar", "1/layer.tar"]
HOSTILE = [
    (without("0/layer.tar"), "it lacks '0/layer.tar'"),
    ({**without("0/layer.tar"), link("0/layer.tar", "/etc/passwd"): b""}, "it lacks"),
    ({**without("0/layer.tar"), link("0/layer.tar", "../../etc/passwd"): b""}, "it lacks"),
    ({**without("0/layer.tar"), link("0/layer.tar", "layer.tar"): b""}, "no plain file"),
    (
        {**without("0/layer.tar"), link("0/layer.tar", "1/layer.tar", tarfile.LNKTYPE): b""},
        "no plain file",
    ),
    ({**without("0/layer.tar"), link("0/layer.tar", "", tarfile.FIFOTYPE): b""}, "no plain file"),
    ({**saved(), "0/layer.tar": b"other"}, "its layer '0/layer.tar' is sha256:.*and must be"),
    ({**saved(), "./manifest.json": b"[]"}, "'manifest.json' is there twice"),
    (with_entry(Layers=["../../../../etc/passwd", "1/layer.tar"]), "it lacks"),
    (with_entry(Layers=["/etc/passwd", "1/layer.tar"]), "it lacks"),
    (with_entry(Layers=["0/layer.tar"]), "it has 1 layers, and its config names 2"),
    (with_entry(Layers=[1, 2]), "'Layers'"),
    (with_entry(Config=1), "'Config'"),
    (with_entry(Config="0/layer.tar"), "be JSON"),
    (with_entry(Config=f"{'0' * 64}.json") | {f"{'0' * 64}.json": b"{}"}, "'rootfs'"),
    (
        with_entry(Config=f"{'0' * 64}.json") | {f"{'0' * 64}.json": encoded(CONFIG)},
        "other content than its name says",
    ),
    (
        {**saved(), "manifest.json": encoded([{"Config": "a"}, {"Config": "b"}])},
        "it holds 2 images, not one",
    ),
    ({**saved(), "oci-layout": b"{}"}, "it lacks 'index.json'"),
    ({**saved(), "oci-layout": b"{}", "index.json": b" " * 5_000_000}, "is too large"),
]


@pytest.mark.parametrize(("members", "finding"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_whole_image_is_refused(
    tmp_path: Path, members: dict[str | tarfile.TarInfo, bytes], finding: str
) -> None:
    with pytest.raises(InvalidArchiveError, match=finding):
        unpack(tmp_path, members)


@pytest.mark.parametrize("changed", ["lost", "other", "longer", "link"])
def test_a_layout_must_have_the_content_of_its_digests(tmp_path: Path, changed: str) -> None:
    layout = Layout()
    layout.finish(layout.image())
    name = f"blobs/sha256/{hexadecimal(LAYERS[0])}"
    content = layout.members.pop(name)
    if changed == "other":
        layout.members[name] = b"x" * len(content)
    elif changed == "longer":
        layout.members[name] = content + b"x"
    elif changed == "link":
        layout.members[link(name, "/etc/passwd")] = b""
    with pytest.raises(InvalidArchiveError):
        unpack(tmp_path, layout.members)


def test_several_images_are_refused(tmp_path: Path) -> None:
    layout = Layout()
    layout.finish(layout.image("amd64"), layout.image("arm64"))
    with pytest.raises(InvalidArchiveError, match="it holds 2 images, not one"):
        unpack(tmp_path, layout.members)


def test_an_index_without_any_image_is_refused(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.image()
    content = encoded({"schemaVersion": 2, "manifests": [image]})
    layout.finish(layout.blob(content, MediaType.OCI_IMAGE_INDEX))
    del layout.members[layout.path(image)]
    with pytest.raises(InvalidArchiveError, match="it lacks the blob"):
        unpack(tmp_path, layout.members)


def test_nothing_is_written_outside_of_the_layout(tmp_path: Path) -> None:
    layout = Layout()
    layout.finish(layout.image())
    layout.members["../escaped"] = b"text"
    layout.members["/tmp/escaped-from-an-archive"] = b"text"
    layout.members[link("blobs", "/tmp")] = b""
    assert unpack(tmp_path, layout.members) is not None
    check(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "layout"]
    assert not Path("/tmp/escaped-from-an-archive").exists()


def test_members_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_archive, "MAX_MEMBERS", 5)
    with pytest.raises(InvalidArchiveError, match="more than 5 members"):
        unpack(tmp_path, {**saved(), "one": b"", "two": b""})


def test_a_header_as_long_as_a_disk_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    path = pack(tmp_path / "image.tar", saved().items())
    whole = path.read_bytes().rstrip(b"\0")
    whole += b"\0" * (-len(whole) % 512)
    path.write_bytes(whole + header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10_000)
    # Newer Python does not believe its size.
    with pytest.raises(InvalidArchiveError, match=r"a header is too large|empty header"):
        unpack_image(path, tmp_path / "layout")


@pytest.mark.parametrize("size", [-1, -512, -1024, -(10**6), 1 << 62, 1 << 63, 1 << 80])
def test_a_size_that_leads_out_of_the_archive_is_refused_or_none(tmp_path: Path, size: int) -> None:
    header = bytearray(tarfile.TarInfo("last").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (256**12 + size if size < 0 else 128 * 256**11 + size).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = pack(tmp_path / "image.tar", saved().items())
    whole = path.read_bytes().rstrip(b"\0")
    whole += b"\0" * (-len(whole) % 512)
    path.write_bytes(whole + header + b"\0" * 10_000)
    # Some versions of Python take a size of less than a block for none.
    with contextlib.suppress(InvalidArchiveError):
        assert unpack_image(path, tmp_path / "layout") is not None
        check(tmp_path)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    name = "0/layer.tar"
    member = tarfile.TarInfo(name)
    member.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,5",
        "GNU.sparse.size": str(1 << 50),
    }
    with pytest.raises(InvalidArchiveError, match="no plain file"):
        unpack(tmp_path, {**without(name), member: b"small"})


def test_a_damaged_archive_is_refused_or_gives_the_same_image(tmp_path: Path) -> None:
    layout = Layout()
    layout.finish(layout.image())
    for kind, members in (("docker", saved()), ("oci", layout.members)):
        path = pack(tmp_path / kind, members.items())
        whole = path.read_bytes()
        expected = unpack_image(path, tmp_path / f"{kind}-layout")
        draws = random.Random(7)
        for number in range(300):
            content = bytearray(whole)
            for _ in range(draws.randrange(1, 4)):
                position = draws.randrange(len(content))
                content[position] = draws.randrange(256)
            if draws.random() < 0.3:
                content = content[: draws.randrange(len(content))]
            path.write_bytes(content)
            try:
                found = unpack_image(path, tmp_path / f"{kind}-{number}")
            except InvalidArchiveError:
                continue
            assert found is None or found == expected or kind == "docker"
