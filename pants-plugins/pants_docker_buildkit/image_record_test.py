from __future__ import annotations

import json
from pathlib import Path

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.solver.result import BuildResult, parse_build_result

BUILD = "blake3:" + "1" * 64
IMAGE, MANIFEST, CONFIG = (parse_oci_digest("sha256:" + each * 64) for each in "abc")
RESULT = BuildResult(
    build_digest=BUILD,
    digest=IMAGE,
    media_type="application/vnd.oci.image.index.v1+json",
    size=855,
    platforms=(PlatformImage(ImagePlatform.parse("linux/arm64"), MANIFEST, CONFIG),),
    materials=(BuildMaterial("pkg:docker/base@1?platform=linux%2Farm64", "sha256:" + "d" * 64),),
)
RECORD = ImageRecord(
    target="src/app:image",
    context_digest="blake3:" + "2" * 64,
    result=RESULT,
    repositories=("localhost:5000/app", "ghcr.io/org/app"),
)


def test_references_are_pinned_one_for_each_registry() -> None:
    assert RECORD.references == (f"localhost:5000/app@{IMAGE}", f"ghcr.io/org/app@{IMAGE}")


def test_an_image_without_a_registry_has_no_reference() -> None:
    assert ImageRecord("a:b", "blake3:", RESULT, ()).references == ()


def test_a_result_from_a_cache_gives_the_same_bytes_as_the_one_that_was_built() -> None:
    cached = parse_build_result(RESULT.to_json().encode(), BUILD, len(RESULT.platforms))
    assert (
        ImageRecord("src/app:image", RECORD.context_digest, cached, RECORD.repositories) == RECORD
    )


def test_a_record_ends_with_a_line_end_and_is_ascii_json_for_people() -> None:
    text = RECORD.to_json()
    assert text.endswith(b"}\n")
    assert text.isascii()
    assert json.loads(text)["image"]["digest"] == IMAGE


def test_nothing_of_this_machine_is_in_a_record() -> None:
    assert str(Path.home()).encode() not in RECORD.to_json()
