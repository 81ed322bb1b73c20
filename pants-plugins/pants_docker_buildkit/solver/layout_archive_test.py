from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.layout import ImageLayout, InvalidLayoutError
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.solver.layout_archive import add_layout

LAYER = b"layer" * 500_000


def blob(directory: Path, content: bytes, media_type: str) -> dict[str, object]:
    digest = sha256_digest(content)
    path = directory / "blobs" / digest.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    """An image with a name and one layer."""
    config = blob(tmp_path, b'{"os": "linux", "architecture": "amd64"}', MediaType.OCI_IMAGE_CONFIG)
    layers = [blob(tmp_path, LAYER, MediaType.OCI_LAYER)]
    manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode()
    root = blob(tmp_path, manifest, MediaType.OCI_IMAGE_MANIFEST)
    named = {**root, "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    index = {"schemaVersion": 2, "manifests": [named]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return ImageLayout.open(tmp_path)


def pack(layout: ImageLayout) -> tarfile.TarFile:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w|") as archive:
        add_layout(archive, layout)
    file.seek(0)
    return tarfile.open(fileobj=file)


def test_an_archive_is_the_layout_without_the_name_of_its_image(
    layout: ImageLayout, tmp_path: Path
) -> None:
    with pack(layout) as archive:
        for member in archive:
            path = tmp_path / "unpacked" / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = archive.extractfile(member)
            assert file is not None
            path.write_bytes(file.read())
    unpacked = ImageLayout.open(tmp_path / "unpacked")
    assert unpacked.root().digest == layout.root().digest
    assert unpacked.root().annotations == ()
    for descriptor in unpacked.reachable(unpacked.root()):
        assert b"".join(unpacked.stream(descriptor))


def test_only_what_the_image_consists_of_is_packed(layout: ImageLayout, tmp_path: Path) -> None:
    (tmp_path / "blobs/sha256/link").symlink_to("/etc/passwd")
    (tmp_path / "manifest.json").write_text('[{"Config": "../../etc/passwd"}]')
    (tmp_path / "repositories").symlink_to("/etc")
    with pack(layout) as archive:
        assert all(member.isreg() for member in archive)
        names = [member.name for member in archive]
    assert names[:2] == ["oci-layout", "index.json"]
    assert len(names) == 5
    assert all(name.startswith("blobs/sha256/") for name in names[2:])


@pytest.mark.parametrize("content", [b"other", LAYER + b"x", b"other" * 500_000])
def test_a_layer_that_is_other_content_is_refused(
    layout: ImageLayout, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "blobs" / sha256_digest(LAYER).replace(":", "/")).write_bytes(content)
    with pytest.raises(InvalidLayoutError, match="The content sha256:"):
        pack(layout)
