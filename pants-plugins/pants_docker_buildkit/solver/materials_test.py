from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMaterial, BuildMetadata
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.solver.materials import find_materials
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

SHA = "a" * 64
BASE = BuildMaterial("pkg:docker/base", f"sha256:{SHA}")
TOOL = BuildMaterial("pkg:docker/tool", f"sha256:{SHA}")
METADATA = BuildMetadata(
    digest=parse_oci_digest(f"sha256:{SHA}"),
    media_type="application/vnd.oci.image.index.v1+json",
    size=1,
    config_digest=None,
    materials=(),
    build_reference="abc",
)
ASK = "buildx history inspect attachment"
KIND = "abc --type=provenance"
BOTH = ("linux/amd64", "linux/arm64")


def provenance(*materials: BuildMaterial) -> str:
    listed = [{"uri": each.uri, "digest": {"sha256": SHA}} for each in materials]
    return json.dumps({"materials": listed})


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path)


def test_what_the_metadata_file_says_is_believed(docker: FakeDocker) -> None:
    metadata = replace(METADATA, materials=(BASE,))
    assert find_materials(docker.cli(), None, metadata, BOTH) == (BASE,)
    assert docker.calls == []


def test_one_platform_without_materials_has_none(docker: FakeDocker) -> None:
    assert find_materials(docker.cli(), None, METADATA, ["linux/amd64"]) == ()
    assert docker.calls == []


def test_history_is_asked_for_each_of_several_platforms(docker: FakeDocker) -> None:
    docker.answer(f"{ASK} --builder=own {KIND} --platform=linux/amd64", provenance(TOOL, BASE))
    docker.answer(f"{ASK} --builder=own {KIND} --platform=linux/arm64", provenance(BASE))
    assert find_materials(docker.cli(), "own", METADATA, BOTH) == (BASE, TOOL)
    assert docker.calls == [f"{ASK} --builder=own {KIND} --platform={each}" for each in BOTH]


@pytest.mark.parametrize(("stdout", "exit_code"), [("", 1), ("no history", 0)])
def test_builder_without_a_history_is_no_failure(
    docker: FakeDocker, stdout: str, exit_code: int
) -> None:
    docker.answer(ASK, stdout, exit_code=exit_code)
    assert find_materials(docker.cli(), None, METADATA, BOTH) == ()
