from __future__ import annotations

import json
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.layout import InvalidLayoutError
from pants_docker_buildkit.registry.testing.images import (
    SmallImage,
    several_platforms,
    write_layout,
)
from pants_docker_buildkit.solver.output_layout import open_output_layout

IMAGE = SmallImage.create()
ROOT = several_platforms(IMAGE)


def written(directory: Path, created: str) -> bytes:
    """The index of a layout that was exported at some time, once it was opened."""
    write_layout(directory, ROOT, IMAGE)
    directory.joinpath("ingest").mkdir()
    path = directory / "index.json"
    index = json.loads(path.read_text())
    index["manifests"][0]["annotations"] = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.ref.name": "latest",
    }
    path.write_text(json.dumps(index))
    assert open_output_layout(directory).root().digest == sha256_digest(ROOT)
    return path.read_bytes()


def test_a_layout_does_not_say_when_it_was_exported(tmp_path: Path) -> None:
    one = written(tmp_path / "one", "2026-01-01T00:00:00Z")
    assert written(tmp_path / "two", "2026-01-02T00:00:00Z") == one
    assert b"latest" in one
    assert not tmp_path.joinpath("one", "ingest").exists()


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"manifests": [1]}', '{"manifests": 1}'])
def test_an_index_that_is_none_is_an_error(tmp_path: Path, index: str) -> None:
    write_layout(tmp_path, ROOT, IMAGE)
    tmp_path.joinpath("index.json").write_text(index)
    with pytest.raises(InvalidLayoutError, match="lists no manifests"):
        open_output_layout(tmp_path)
