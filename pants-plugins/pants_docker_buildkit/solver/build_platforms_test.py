from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder import parse_builder
from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.solver.build_platforms import (
    check_build_platforms,
    find_node_platforms,
    parse_nodes,
    render_nodes,
)
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.described_builder import ChosenBuilder
from pants_docker_buildkit.solver.errors import OtherBuildPlatformError, OtherDefaultPlatformError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

BUILDER = "Name: far\nDriver: docker-container\n\nNodes:\nName: far0\n"
RUNS = f"{BUILDER}Status: running\nPlatforms: linux/arm64, linux/amd64\n"
AMD64_ON_ARM64 = (("linux/amd64", "linux/arm64"),)


def chosen(text: str, docker: FakeDocker) -> ChosenBuilder:
    return ChosenBuilder(docker.cli(), parse_builder(text), "far")


def definition(*build_platforms: tuple[str, str]) -> BuildDefinition:
    return BuildDefinition(
        dockerfile="", context="", platforms=(), output="oci", build_platforms=build_platforms
    )


def test_a_builder_that_sleeps_is_booted(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("buildx inspect --bootstrap far", RUNS)
    assert find_node_platforms(chosen(BUILDER, docker)) == (("linux/arm64", "linux/amd64"),)


def test_a_builder_that_cannot_be_booted_has_no_platforms(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("buildx inspect", stderr="no image", exit_code=1)
    assert find_node_platforms(chosen(BUILDER, docker)) == ()


def test_what_was_cached_is_read_back() -> None:
    nodes = (("linux/arm64*", "linux/amd64"), ())
    assert parse_nodes(render_nodes(nodes).encode()) == nodes


@pytest.mark.parametrize("text", [b"", b"[]", b'{"nodes": [1]}', b'{"nodes": [{"platforms": 1}]}'])
def test_what_another_put_into_the_cache_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        parse_nodes(text)


def test_a_builder_of_the_platform_that_was_promised_may_build(tmp_path: Path) -> None:
    check_build_platforms(definition(), chosen(BUILDER, FakeDocker(tmp_path)))
    check_build_platforms(definition(*AMD64_ON_ARM64), chosen(RUNS, FakeDocker(tmp_path)))


def test_a_builder_of_another_platform_is_refused(tmp_path: Path) -> None:
    wanted = definition(("linux/amd64", "linux/amd64"))
    with pytest.raises(OtherBuildPlatformError, match=r"'far' are linux/arm64"):
        check_build_platforms(wanted, chosen(RUNS, FakeDocker(tmp_path)))


def follower(platform: str) -> BuildDefinition:
    return BuildDefinition(
        dockerfile="",
        context="",
        platforms=(platform,),
        output="oci",
        platform_of_base="linux/s390x",
    )


def test_what_is_labelled_like_its_base_needs_a_builder_for_the_default(tmp_path: Path) -> None:
    check_build_platforms(follower("linux/arm64"), chosen(RUNS, FakeDocker(tmp_path)))
    with pytest.raises(OtherDefaultPlatformError, match=r"'far' is for linux/arm64.*`platforms`"):
        check_build_platforms(follower("linux/amd64"), chosen(RUNS, FakeDocker(tmp_path)))


def test_such_a_build_goes_to_the_first_node(tmp_path: Path) -> None:
    two = f"{RUNS}Name: far1\nStatus: running\nPlatforms: linux/amd64\n"
    with pytest.raises(OtherDefaultPlatformError):
        check_build_platforms(follower("linux/amd64"), chosen(two, FakeDocker(tmp_path)))
