"""Are image records, which scripts read, written byte for byte as they always were?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.solver.result import BuildResult

CASES = sorted(Path(__file__).parent.glob("*.image.json"))


def record_of(document: dict[str, Any]) -> ImageRecord:
    result = BuildResult(
        build_digest=document["build_digest"],
        digest=parse_oci_digest(document["image"]["digest"]),
        media_type=document["image"]["media_type"],
        size=document["image"]["size"],
        platforms=tuple(
            PlatformImage(
                ImagePlatform.parse(each["platform"]),
                parse_oci_digest(each["digest"]),
                parse_oci_digest(each["config_digest"]),
            )
            for each in document["platforms"]
        ),
        materials=tuple(BuildMaterial(**each) for each in document["materials"]),
    )
    repositories = tuple(each.partition("@")[0] for each in document["references"])
    return ImageRecord(document["target"], document["context_digest"], result, repositories)


def test_there_are_cases() -> None:
    assert len(CASES) >= 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_record_is_written_byte_for_byte(case: Path) -> None:
    golden = case.read_bytes()
    assert record_of(json.loads(golden)).to_json() == golden
