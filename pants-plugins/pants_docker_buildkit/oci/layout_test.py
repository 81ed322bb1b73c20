from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest, sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import PlatformImage, read_platform_images


class LayoutWriter:
    """Writes a layout as BuildKit's `oci` exporter does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def path(self, digest: str) -> Path:
        return self.directory / "blobs/sha256" / digest.partition(":")[2]

    def blob(self, content: bytes, media_type: str, **members: object) -> dict[str, object]:
        digest = sha256_digest(content)
        self.path(digest).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **members}

    def image(self, architecture: str, **members: object) -> dict[str, object]:
        config = json.dumps({"os": "linux", "architecture": architecture}).encode()
        manifest = {
            "schemaVersion": 2,
            "config": self.blob(config, MediaType.OCI_IMAGE_CONFIG),
            "layers": [self.blob(b"shared layer", MediaType.OCI_LAYER)],
        }
        content = json.dumps(manifest).encode()
        return self.blob(content, MediaType.OCI_IMAGE_MANIFEST, **members)

    def index(self, *manifests: dict[str, object]) -> dict[str, object]:
        content = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
        return self.blob(content, MediaType.OCI_IMAGE_INDEX)

    def finish(self, *roots: dict[str, object]) -> ImageLayout:
        index = {"schemaVersion": 2, "manifests": roots}
        (self.directory / "index.json").write_text(json.dumps(index))
        return ImageLayout.open(self.directory)


def read_whole(layout: ImageLayout) -> Descriptor:
    """The root, once everything that it consists of was read and checked."""
    root = layout.root()
    for descriptor in layout.reachable(root):
        for _ in layout.stream(descriptor):
            pass
    return root


@pytest.fixture
def writer(tmp_path: Path) -> LayoutWriter:
    return LayoutWriter(tmp_path)


def attestation_of(image: dict[str, object]) -> dict[str, object]:
    return {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image["digest"],
    }


def multi_platform(writer: LayoutWriter) -> ImageLayout:
    amd64 = writer.image("amd64", platform={"os": "linux", "architecture": "amd64"})
    arm64 = writer.image("arm64", platform={"os": "linux", "architecture": "arm64"})
    proof = writer.image("unknown", annotations=attestation_of(amd64))
    return writer.finish(writer.index(arm64, amd64, proof))


def test_the_root_is_the_one_image(writer: LayoutWriter) -> None:
    image = writer.image("amd64")
    assert writer.finish(image).root().digest == image["digest"]


def test_an_image_under_several_names_is_one_root(writer: LayoutWriter) -> None:
    names = [{"org.opencontainers.image.ref.name": name} for name in ("latest", "1.0")]
    roots = [writer.image("amd64", annotations=name) for name in names]
    assert writer.finish(*roots).root().digest == roots[0]["digest"]


def test_two_images_have_no_root(writer: LayoutWriter) -> None:
    layout = writer.finish(writer.image("amd64"), writer.image("arm64"))
    with pytest.raises(InvalidLayoutError, match="holds 2 images, not one"):
        layout.root()


def test_reachable_lists_every_blob_once_and_children_first(writer: LayoutWriter) -> None:
    layout = multi_platform(writer)
    digests = [each.digest for each in layout.reachable(layout.root())]
    assert len(digests) == len(set(digests)) == 8
    assert digests[-1] == layout.root().digest
    assert digests.index(sha256_digest(b"shared layer")) < 2


def test_platform_images_of_an_index_are_sorted_and_without_attestations(
    writer: LayoutWriter,
) -> None:
    layout = multi_platform(writer)
    images = read_platform_images(layout.root(), layout.read)
    assert [str(each.platform) for each in images] == ["linux/amd64", "linux/arm64"]
    assert len({each.config_digest for each in images}) == 2


def test_the_platform_of_a_single_image_comes_from_its_config(writer: LayoutWriter) -> None:
    layout = writer.finish(writer.image("arm64"))
    config_digest = sha256_digest(b'{"os": "linux", "architecture": "arm64"}')
    (image,) = read_platform_images(layout.root(), layout.read)
    assert image == PlatformImage(
        ImagePlatform("linux", "arm64"), layout.root().digest, config_digest
    )


def test_a_directory_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidLayoutError, match="it has no oci-layout"):
        ImageLayout.open(tmp_path)


def test_another_layout_version_is_refused(writer: LayoutWriter) -> None:
    (writer.directory / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(InvalidLayoutError, match=r"its version is 2\.0\.0, not"):
        ImageLayout.open(writer.directory)


def damaged_layer(writer: LayoutWriter) -> tuple[ImageLayout, Path]:
    return writer.finish(writer.image("amd64")), writer.path(sha256_digest(b"shared layer"))


def test_verify_refuses_a_missing_blob(writer: LayoutWriter) -> None:
    layout, layer = damaged_layer(writer)
    layer.unlink()
    with pytest.raises(InvalidLayoutError, match="it lacks the blob sha256:"):
        read_whole(layout)


@pytest.mark.parametrize("content", [b"", b"other  layer", b"shared layer and more"])
def test_verify_refuses_other_content(writer: LayoutWriter, content: bytes) -> None:
    layout, layer = damaged_layer(writer)
    layer.write_bytes(content)
    with pytest.raises(InvalidLayoutError, match="The content sha256:"):
        read_whole(layout)


def test_a_file_that_cannot_be_read_is_not_taken_for_absent(
    writer: LayoutWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, _ = damaged_layer(writer)
    root = layout.root()

    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InvalidLayoutError, match=r"its index\.json cannot be read: Permission"):
        layout.index()
    with pytest.raises(InvalidLayoutError, match=r"its blob .* cannot be read: Permission"):
        layout.read(root)


def test_a_blob_that_is_a_link_is_refused(writer: LayoutWriter, tmp_path: Path) -> None:
    layout, layer = damaged_layer(writer)
    elsewhere = tmp_path / "elsewhere"
    layer.rename(elsewhere)
    layer.symlink_to(elsewhere)
    with pytest.raises(InvalidLayoutError, match="it lacks the blob"):
        read_whole(layout)


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
@pytest.mark.parametrize("kind", ["link", "device", "pipe", "directory"])
def test_what_is_no_file_is_not_read(writer: LayoutWriter, name: str, kind: str) -> None:
    layout = writer.finish(writer.image("amd64"))
    path = writer.directory / name
    replace_with(path, kind)
    with pytest.raises(InvalidLayoutError, match=f"it has no {name}"):
        ImageLayout.open(layout.directory).index()


@pytest.mark.parametrize("kind", ["device", "pipe", "directory"])
def test_a_blob_that_is_no_file_is_refused(writer: LayoutWriter, kind: str) -> None:
    layout, layer = damaged_layer(writer)
    replace_with(layer, kind)
    with pytest.raises(InvalidLayoutError, match="it lacks the blob"):
        read_whole(layout)


def replace_with(path: Path, kind: str) -> None:
    """Put something in the place of a file that may have no end."""
    if kind == "directory":
        path.unlink()
        path.mkdir()
    elif kind == "pipe":
        path.unlink()
        os.mkfifo(path)
    elif kind == "link":
        elsewhere = path.rename(path.with_name("elsewhere"))
        path.symlink_to(elsewhere)
    else:
        path.unlink()
        path.symlink_to("/dev/zero")


def test_a_foreign_layer_may_be_absent(writer: LayoutWriter) -> None:
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": sha256_digest(b"licensed"),
        "size": 8,
    }
    config = writer.blob(b'{"os": "windows", "architecture": "amd64"}', MediaType.OCI_IMAGE_CONFIG)
    manifest = {"schemaVersion": 2, "config": config, "layers": [foreign]}
    root = writer.blob(json.dumps(manifest).encode(), MediaType.OCI_IMAGE_MANIFEST)
    layout = writer.finish(root)
    assert foreign["digest"] not in {each.digest for each in layout.reachable(read_whole(layout))}


def test_indexes_nested_too_deeply_are_refused(writer: LayoutWriter) -> None:
    root = writer.image("amd64")
    for _ in range(10):
        root = writer.index(root)
    layout = writer.finish(root)
    with pytest.raises(InvalidLayoutError, match="nested too deeply"):
        read_whole(layout)


def test_a_config_too_large_to_be_one_is_not_read(writer: LayoutWriter) -> None:
    layout = writer.finish(writer.image("amd64"))
    huge = Descriptor(MediaType.OCI_IMAGE_CONFIG, OciDigest(sha256_digest(b"")), 1 << 30)
    with pytest.raises(InvalidLayoutError, match="too large to read"):
        layout.read(huge)
