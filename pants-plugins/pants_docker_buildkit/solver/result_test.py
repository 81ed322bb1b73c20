from __future__ import annotations

import json
from typing import Any

import pytest

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.solver.result import (
    BuildResult,
    InvalidBuildResultError,
    parse_build_result,
)

BUILD = "blake3:" + "1" * 64
RESULT = BuildResult(
    build_digest=BUILD,
    digest=parse_oci_digest("sha256:" + "a" * 64),
    media_type="application/vnd.oci.image.index.v1+json",
    size=855,
    platforms=(
        PlatformImage(
            ImagePlatform.parse("linux/arm64"),
            parse_oci_digest("sha256:" + "b" * 64),
            parse_oci_digest("sha256:" + "c" * 64),
        ),
    ),
    materials=(BuildMaterial("pkg:docker/base@1", "sha256:" + "d" * 64),),
)


def changed(**members: Any) -> bytes:
    return json.dumps({**json.loads(RESULT.to_json()), **members}).encode()


def test_a_result_is_read_back_as_it_was_written() -> None:
    assert parse_build_result(RESULT.to_json().encode(), BUILD, 1) == RESULT


def test_the_result_of_another_build_is_refused() -> None:
    with pytest.raises(InvalidBuildResultError, match="It is of the build 'blake3:1"):
        parse_build_result(RESULT.to_json().encode(), "blake3:" + "2" * 64, 1)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"\xff\xfe", "cannot be read", id="not-utf-8"),
        pytest.param(b"[]", "cannot be read", id="list"),
        pytest.param(RESULT.to_json().encode()[:-9], "cannot be read", id="cut-off"),
        pytest.param(changed(schema=2), "Its schema is 2", id="from-the-future"),
        pytest.param(
            changed(build_digest="blake3:0"), "of the build 'blake3:0'", id="another-build"
        ),
        pytest.param(changed(size=-1), "cannot be read", id="negative-size"),
        pytest.param(changed(size=float("inf")), "cannot be read", id="endless-size"),
        pytest.param(b'{"size": ' + b"9" * 5000 + b"}", "cannot be read", id="huge-number"),
        pytest.param(b'{"schema": 1, "schema": 1}', "cannot be read", id="member-twice"),
        pytest.param(b"[" * 100_000, "cannot be read", id="deep-nesting"),
        pytest.param(changed(materials=[{"uri": "\ud800", "digest": ""}]), "read", id="no-text"),
        pytest.param(changed(media_type="text/html"), "no media type of", id="no-manifest"),
        pytest.param(changed(platforms=[]), "1 platforms, but has 0", id="platform-missing"),
        pytest.param(changed(digest="sha256:x"), "cannot be read", id="bad-digest"),
        pytest.param(changed(size="many"), "cannot be read", id="bad-size"),
        pytest.param(changed(platforms=[{}]), "cannot be read", id="bad-platform"),
        pytest.param(changed(platforms=None), "cannot be read", id="no-platforms"),
        pytest.param(changed(materials=[1]), "cannot be read", id="bad-material"),
    ],
)
def test_what_is_no_result_is_refused(text: bytes, finding: str) -> None:
    with pytest.raises(InvalidBuildResultError, match=finding):
        parse_build_result(text, BUILD, 1)
