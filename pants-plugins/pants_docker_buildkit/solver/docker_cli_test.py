from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import BuildxNotFoundError, DockerNotFoundError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker


def test_docker_is_found_on_the_path_of_the_profile(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "bin")
    found = DockerCli.find({"PATH": f"{tmp_path}/none:{tmp_path}/bin"})
    assert found.binary == str(docker.binary)
    assert not found.is_standalone_buildx


def test_standalone_buildx_takes_the_place_of_docker_buildx(tmp_path: Path) -> None:
    FakeDocker(tmp_path, "docker-buildx").answer("inspect", "ok")
    docker = DockerCli.find({"PATH": str(tmp_path)})
    assert docker.is_standalone_buildx
    assert docker.arguments(("buildx", "inspect"))[1:] == ["inspect"]


def test_docker_wins_over_a_standalone_buildx(tmp_path: Path) -> None:
    FakeDocker(tmp_path, "docker-buildx")
    docker = FakeDocker(tmp_path)
    assert DockerCli.find({"PATH": str(tmp_path)}).binary == str(docker.binary)


def test_no_docker_says_where_it_was_looked_for_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DockerNotFoundError) as raised:
        DockerCli.find({"PATH": str(tmp_path)})
    assert str(raised.value) == (
        "Building needs the Docker CLI with buildx, but no executable 'docker' or 'docker-buildx'"
        f" is on the path {str(tmp_path)!r}. Install Docker 23 or later, or set"
        " '[docker-buildkit].executable_search_paths'. An image that Pants has a record of needs no"
        " Docker."
    )


@pytest.mark.parametrize(
    "stderr",
    [
        pytest.param("docker: 'buildx' is not a docker command.\nSee 'docker --help'\n", id="old"),
        pytest.param(
            "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information\n",
            id="new",
        ),
    ],
)
def test_docker_without_buildx_names_the_docker_and_the_package(
    tmp_path: Path, stderr: str
) -> None:
    docker = FakeDocker(tmp_path).answer("buildx", stderr=stderr, exit_code=1)
    with pytest.raises(BuildxNotFoundError) as raised:
        docker.cli().ask("buildx", "inspect")
    assert str(raised.value) == (
        f"Building needs buildx, but '{docker.binary} buildx' is not a command of this Docker CLI."
        " Install the docker-buildx-plugin package, or put 'docker-buildx' into"
        " ~/.docker/cli-plugins."
    )


def test_only_the_environment_of_the_profile_reaches_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_OWN", "secret")
    docker = FakeDocker(tmp_path).answer("info", run='printf "%s|%s" "$OUR_OWN" "$GIVEN"')
    answer = docker.cli(GIVEN="1").with_environment({"MORE": "2"}).ask("info")
    assert answer.stdout == "|1"


def test_failure_of_a_command_is_left_to_the_caller(tmp_path: Path) -> None:
    answer = FakeDocker(tmp_path).answer("info", stderr="no", exit_code=3).cli().ask("info")
    assert (answer.returncode, answer.stderr) == (3, "no")
