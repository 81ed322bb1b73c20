from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.solver.archived_image import (
    ARCHIVE_FILE,
    parse_archived_image,
    render_archived_image,
    unpack_archive,
)
from pants_docker_buildkit.solver.errors import UnusableArchiveError
from pants_docker_buildkit.solver.input_tree import OUTPUT_LAYOUT


def pack(directory: Path, **members: bytes) -> None:
    with tarfile.open(directory / ARCHIVE_FILE, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def pack_image(directory: Path, **config: object) -> None:
    manifest = [{"Config": "config.json", "Layers": ["layer.tar"]}]
    document = {
        "os": "linux",
        "architecture": "arm64",
        "rootfs": {"diff_ids": [sha256_digest(b"layer")]},
        **config,
    }
    pack(
        directory,
        manifest_json=json.dumps(manifest).encode(),
        config_json=json.dumps(document).encode(),
        layer_tar=b"layer",
    )


def test_an_image_is_known_with_its_platform_and_what_it_triggers(tmp_path: Path) -> None:
    pack_image(tmp_path, config={"OnBuild": ["RUN true"]})
    image = unpack_archive(tmp_path)
    assert image is not None
    (found,) = image.platforms
    assert found.platform == ImagePlatform.parse("linux/arm64")
    assert found.manifest_digest == image.digest
    assert found.triggers == ("RUN true",)
    assert (tmp_path / OUTPUT_LAYOUT / "index.json").is_file()
    assert parse_archived_image(render_archived_image(image).encode()) == image


def test_other_files_leave_an_empty_layout(tmp_path: Path) -> None:
    pack(tmp_path, some_file=b"text")
    assert unpack_archive(tmp_path) is None
    assert list((tmp_path / OUTPUT_LAYOUT).iterdir()) == []
    assert parse_archived_image(render_archived_image(None).encode()) is None


@pytest.mark.parametrize("changes", [{"os": 1}, {"rootfs": {}}, {"config": {"OnBuild": "no list"}}])
def test_a_config_that_is_none_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    pack_image(tmp_path, **changes)
    with pytest.raises(UnusableArchiveError):
        unpack_archive(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"digest": "latest", "platforms": []}',
        b'{"digest": 1}',
        b'{"digest": "sha256:%s"}' % (b"a" * 64),
        b'{"digest": "sha256:%s", "platforms": [{}]}' % (b"a" * 64),
    ],
)
def test_what_a_cache_should_not_hold_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"must|digest"):
        parse_archived_image(text)
