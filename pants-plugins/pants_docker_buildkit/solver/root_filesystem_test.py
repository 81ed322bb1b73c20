"""What stands beside the tar of a root file system."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.oci.layout import InvalidLayoutError
from pants_docker_buildkit.solver.root_filesystem import write_image_metadata

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def put(layout: Path, media_type: str, document: Any) -> dict[str, Any]:
    content = json.dumps(document).encode()
    digest = hashlib.sha256(content).hexdigest()
    path = layout / "blobs/sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def image(layout: Path, config: dict[str, Any], architecture: str = "amd64") -> dict[str, Any]:
    document = {"os": "linux", "architecture": architecture, "config": config}
    written = put(layout, CONFIG, document)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": written, "layers": []}
    platform = {"os": "linux", "architecture": architecture}
    return {**put(layout, MANIFEST, manifest), "platform": platform}


def index(*images: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images)}


def metadata(layout: Path, *images: dict[str, Any]) -> Any:
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps(index(*images)))
    write_image_metadata(layout, layout.parent)
    assert not layout.exists()
    return json.loads((layout.parent / "metadata.json").read_text())


def test_an_image_that_says_nothing_starts_at_the_root(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    assert metadata(layout, image(layout, {"Entrypoint": None})) == {
        "env": [],
        "user": "",
        "workdir": "/",
        "entrypoint": [],
        "cmd": [],
    }


def test_each_platform_has_its_own(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    images = [image(layout, {"User": each}, each) for each in ("amd64", "arm64")]
    found = metadata(layout, put(layout, INDEX, index(*images)))
    assert {name: each["user"] for name, each in found.items()} == {
        "linux_amd64": "amd64",
        "linux_arm64": "arm64",
    }


def test_a_config_that_is_none_is_refused(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    with pytest.raises(InvalidLayoutError, match="in a config"):
        metadata(layout, image(layout, {"Env": "PATH=/"}))
