from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMetadata
from pants_docker_buildkit.oci.digest import parse_oci_digest, sha256_digest
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.solver.builder_history import find_config_digest
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

IMAGE = SmallImage.create()
METADATA = BuildMetadata(
    digest=parse_oci_digest(IMAGE.digest),
    media_type="application/vnd.oci.image.manifest.v1+json",
    size=len(IMAGE.manifest),
    config_digest=None,
    materials=(),
    build_reference="abc",
)
ASK = f"buildx history inspect attachment --builder=far abc {IMAGE.digest}"


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path)


def test_a_config_that_the_metadata_file_leaves_out_is_found_in_the_history(
    docker: FakeDocker,
) -> None:
    docker.answer(ASK, IMAGE.manifest.decode())
    assert find_config_digest(docker.cli(), "far", METADATA) == sha256_digest(IMAGE.config)
    assert docker.calls == [ASK]


def test_the_history_is_not_asked_for_what_the_metadata_file_says(docker: FakeDocker) -> None:
    known = replace(METADATA, config_digest=sha256_digest(b"config"))
    assert find_config_digest(docker.cli(), None, known) == sha256_digest(b"config")
    assert docker.calls == []


@pytest.mark.parametrize(("stdout", "exit_code"), [("", 1), ("no manifest", 0)])
def test_a_builder_without_a_history_is_a_failure_that_says_so(
    docker: FakeDocker, stdout: str, exit_code: int
) -> None:
    docker.answer(ASK, stdout, exit_code=exit_code)
    with pytest.raises(BuildFailedError, match="must list its builds"):
        find_config_digest(docker.cli(), "far", METADATA)


def test_an_index_is_no_image(docker: FakeDocker) -> None:
    media_type = "application/vnd.oci.image.index.v1+json"
    index = f'{{"schemaVersion": 2, "mediaType": "{media_type}", "manifests": []}}'
    docker.answer(ASK, index)
    with pytest.raises(BuildFailedError, match="ended with an index"):
        find_config_digest(docker.cli(), "far", replace(METADATA, media_type=media_type))
