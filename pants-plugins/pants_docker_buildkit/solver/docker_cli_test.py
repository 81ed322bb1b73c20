from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    BuildxNotFoundError,
    ChosenDockerError,
    DockerNotFoundError,
    NulByteError,
)
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


@pytest.mark.parametrize(
    ("name", "is_buildx"),
    [
        pytest.param("docker", False, id="docker"),
        pytest.param("docker-28", False, id="docker of a version"),
        pytest.param("docker-buildx", True, id="buildx"),
        pytest.param("buildx-v0.29.1.linux-amd64", True, id="buildx as it is downloaded"),
    ],
)
def test_a_docker_that_was_chosen_is_used_by_name_or_path(
    tmp_path: Path, name: str, is_buildx: bool
) -> None:
    binary = str(FakeDocker(tmp_path / "other", name).binary)
    FakeDocker(tmp_path / "bin")
    environment = {"PATH": f"{tmp_path}/bin:{tmp_path}/other"}
    for chosen in (name, binary) if name != "docker" else (binary,):
        docker = DockerCli.find(environment, chosen)
        assert (docker.binary, docker.is_standalone_buildx) == (binary, is_buildx)


@pytest.mark.parametrize(
    ("chosen", "where"), [("docker-28", " on the path '/nowhere'"), ("/opt/docker", "")]
)
def test_a_docker_that_was_chosen_and_is_not_there_is_named(chosen: str, where: str) -> None:
    with pytest.raises(ChosenDockerError) as raised:
        DockerCli.find({"PATH": "/nowhere"}, chosen)
    assert str(raised.value) == (
        "The option '[docker-buildkit].docker' must name an executable 'docker' or 'docker-buildx',"
        f" but '{chosen}' is not one{where}. Correct it, or leave it out to have one searched for."
        " An image that Pants has a record of needs no Docker."
    )


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


def test_what_docker_says_need_not_be_text(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path).answer("info", run=r"printf 'open /home/jos\351: denied' >&2")
    assert docker.cli().ask("info").stderr == "open /home/jos\ufffd: denied"


def test_an_engine_is_named_by_an_address_or_by_a_context() -> None:
    cli = DockerCli("/bin/docker", {"DOCKER_HOST": "unix:///here", "DOCKER_CONTEXT": "here"})
    assert cli.at_engine("ssh://far").environment["DOCKER_HOST"] == "ssh://far"
    environment = cli.at_engine("colima").environment
    assert (environment["DOCKER_HOST"], environment["DOCKER_CONTEXT"]) == ("", "colima")


def test_a_builder_that_the_user_chose_is_none_of_another_configuration() -> None:
    cli = DockerCli("/bin/docker", {"BUILDX_BUILDER": "mine"}).with_buildx_config(Path("/other"))
    assert cli.environment == {"BUILDX_CONFIG": "/other", "BUILDX_BUILDER": ""}


def test_what_no_command_can_be_told_is_named() -> None:
    with pytest.raises(NulByteError, match=r"must have no NUL byte, but '--label=a=\\x00' has one"):
        DockerCli("/bin/docker", {}).arguments(("buildx", "build", "--label=a=\0"))


def test_of_a_docker_that_crashed_the_reason_is_kept_and_not_the_stacks(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path)
    report = "panic: nil map\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\nmain.main()\n"
    docker.answer("buildx inspect", stderr=report, exit_code=2)
    answer = DockerCli.find({"PATH": str(tmp_path)}).ask("buildx", "inspect")
    assert answer.stderr.startswith("docker crashed (panic: nil map; [signal SIGSEGV]). Run this")
    assert "main.main" not in answer.stderr
