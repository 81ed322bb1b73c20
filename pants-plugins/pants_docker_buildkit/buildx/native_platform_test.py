from __future__ import annotations

import pytest

from pants_docker_buildkit.buildx.builder import parse_builder
from pants_docker_buildkit.buildx.native_platform import native_platforms
from pants_docker_buildkit.oci.image_platform import ImagePlatform

AMD64 = "linux/amd64, linux/amd64/v2, linux/arm64"
ARM64 = "linux/arm64, linux/arm/v7"


def natives(targets: str, *nodes: str) -> list[str]:
    text = "Name: b\nDriver: remote\n\nNodes:\n"
    text += "\n".join(f"Name: b{number}\nPlatforms: {each}" for number, each in enumerate(nodes))
    parsed = [ImagePlatform.parse(each) for each in targets.split()]
    return [str(each) for each in native_platforms(parse_builder(text).node_platforms, parsed)]


@pytest.mark.parametrize(
    ("targets", "nodes", "expected"),
    [
        pytest.param("linux/arm64", [AMD64], "linux/amd64", id="emulated"),
        pytest.param(
            "linux/amd64 linux/arm64 linux/arm/v7",
            ["linux/amd64", ARM64],
            "linux/amd64 linux/arm64 linux/arm64",
            id="each-on-its-node",
        ),
        pytest.param("linux/s390x", ["linux/amd64", ARM64], "linux/amd64", id="nobody-can"),
        pytest.param("linux/arm64", [f"linux/arm64*, {AMD64}"], "linux/amd64", id="chosen"),
        pytest.param(
            "linux/amd64", ["linux/amd64*, linux/amd64/v2, linux/arm64"], "linux/amd64", id="own"
        ),
        pytest.param("linux/amd64", ["linux/amd64*"], "linux/amd64", id="only-chosen"),
        pytest.param("linux/amd64", ["plan9/z80, linux/arm64"], "", id="unknown"),
        pytest.param("linux/amd64", [""], "", id="not-booted"),
        pytest.param("linux/amd64", [], "", id="no-nodes"),
    ],
)
def test_buildkit_calls_the_platform_of_the_node_that_builds_the_build_platform(
    targets: str, nodes: list[str], expected: str
) -> None:
    assert natives(targets, *nodes) == expected.split()
