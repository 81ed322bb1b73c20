from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.solver.errors import (
    NoPoliciesError,
    NoResourcesError,
    OldBuildKitError,
    OldBuildxError,
)
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.versions import (
    Version,
    check_versions,
    compares_commits,
    parse_version,
)


def builder(*versions: str) -> Builder:
    return Builder(
        "far", "remote", "", True, has_containerd_store=False, buildkit_versions=versions
    )


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("github.com/docker/buildx v0.29.1 a32761aeb3debd39be1eca514af3693af0db334b", (0, 29)),
        ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", (0, 29)),
        ("v0.12.0-rc1", (0, 12)),
        ("v1.0.0", (1, 0)),
        ("v0.0.0+unknown", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_a_version_is_read_where_it_is_known(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("said", ["buildx v0.13.0 a1", "buildx v0.36.1", "buildx unknown", ""])
@pytest.mark.parametrize("versions", [(), ("v0.12.0",), ("v0.25.1", "v0.0.0+unknown")])
def test_what_is_new_enough_or_unknown_may_build(
    docker: FakeDocker, tmp_path: Path, said: str, versions: tuple[str, ...]
) -> None:
    docker.answer("buildx version", said)
    check_versions(docker.cli(), builder(*versions), tmp_path)


@pytest.mark.parametrize(
    ("said", "found"),
    [("buildx v0.29.1 a1", "this is 0.29"), ("", "this is one that does not say its version")],
)
def test_a_buildx_that_might_ignore_a_policy_in_rego_is_refused(
    docker: FakeDocker, tmp_path: Path, said: str, found: str
) -> None:
    docker.answer("buildx version", said)
    with pytest.raises(NoPoliciesError, match=f"buildx 0.32 or later obeys, but {found}"):
        check_versions(docker.cli(), builder(), tmp_path, has_policies=True)


def test_a_newer_buildx_may_build_with_policies(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx version", "buildx v0.36.1 a1")
    check_versions(docker.cli(), builder(), tmp_path, has_policies=True)


def test_an_older_buildx_is_refused_and_asked_once_in_a_session(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx version", "github.com/docker/buildx v0.12.1 a1")
    for _ in range(2):
        with pytest.raises(OldBuildxError, match=r"needs buildx 0\.13 or later, but this is 0\.12"):
            check_versions(docker.cli(), builder(), tmp_path)
    assert docker.calls == ["buildx version"]


def test_a_builder_is_refused_for_one_older_node(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx version", "github.com/docker/buildx v0.29.1 a1")
    with pytest.raises(OldBuildKitError, match=r"'far' must run BuildKit 0\.12 .* runs 0\.11"):
        check_versions(docker.cli(), builder("v0.25.1", "v0.11.6"), tmp_path)


def test_a_buildx_that_cannot_limit_steps_is_refused(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx version", "buildx v0.29.1 a1")
    with pytest.raises(NoResourcesError, match=r"buildx 0\.36 or later can do, but this is 0\.29"):
        check_versions(docker.cli(), builder(), tmp_path, has_resources=True)


@pytest.mark.parametrize("said", ["buildx v0.36.1 a1", "buildx unknown"])
def test_one_that_can_or_does_not_say_its_version_is_not(
    docker: FakeDocker, tmp_path: Path, said: str
) -> None:
    docker.answer("buildx version", said)
    check_versions(docker.cli(), builder(), tmp_path, has_resources=True)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("v0.22.0",), True),
        (("v0.21.1",), False),
        (("v0.32.2", "v0.21.1"), False),
        # Some distributions build a BuildKit that does not know its version, or none is booted.
        (("v0.32.2", "v0.0.0+unknown"), False),
        ((), False),
    ],
)
def test_only_a_builder_that_is_known_to_compare_commits_does(
    docker: FakeDocker, tmp_path: Path, versions: tuple[str, ...], *, expected: bool
) -> None:
    assert compares_commits(docker.cli(), builder(*versions), tmp_path) is expected
    assert docker.calls == []


def test_a_node_that_is_not_booted_may_compare_no_commits(
    docker: FakeDocker, tmp_path: Path
) -> None:
    nodes = replace(builder("v0.32.2"), node_platforms=((), ()))
    assert not compares_commits(docker.cli(), nodes, tmp_path)


@pytest.mark.parametrize(("said", "expected"), [("1.49", False), ("1.50\n", True), ("", False)])
def test_an_engine_whose_buildkit_does_not_know_its_version_is_asked_once(
    docker: FakeDocker, tmp_path: Path, said: str, *, expected: bool
) -> None:
    docker.answer("version --format", said)
    engine = replace(builder("v0.0.0+unknown"), driver="docker")
    for _ in range(2):
        assert compares_commits(docker.cli(), engine, tmp_path) is expected
    assert len(docker.calls) == 1
