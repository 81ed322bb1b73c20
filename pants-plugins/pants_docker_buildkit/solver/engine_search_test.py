from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.credentials import docker_config_directory
from pants_docker_buildkit.solver.engine_search import (
    DEFAULT_SOCKET,
    EngineSearch,
    chosen_context,
    context_host,
    engine_environment,
    is_answering,
    is_socket,
)

ROOTLESS = "/run/user/1000/docker.sock"
PODMAN = "/run/user/1000/podman/podman.sock"


def search(*sockets: str, **environment: str) -> EngineSearch:
    """A search on a machine that has these sockets, for its user 1000."""
    has = set(sockets).__contains__
    return EngineSearch(environment, has, has, user_id=1000)


@contextmanager
def listening(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


def write_config(directory: Path, config: str) -> dict[str, str]:
    directory.joinpath("config.json").write_text(config)
    return {"DOCKER_CONFIG": str(directory)}


@pytest.mark.parametrize(
    ("environment", "socket_there"),
    [
        pytest.param({"XDG_RUNTIME_DIR": "/xdg"}, "/xdg/docker.sock", id="rootless, session"),
        pytest.param({}, ROOTLESS, id="rootless, no session"),
        pytest.param({"HOME": "/me"}, "/me/.docker/run/docker.sock", id="Docker Desktop"),
    ],
)
def test_an_engine_that_people_expect_is_found(
    environment: dict[str, str], socket_there: str
) -> None:
    assert search(socket_there, **environment).found_host == f"unix://{socket_there}"


def test_the_runtime_directory_of_the_session_comes_first() -> None:
    found = search(ROOTLESS, "/xdg/docker.sock", XDG_RUNTIME_DIR="/xdg").found_host
    assert found == "unix:///xdg/docker.sock"


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"DOCKER_HOST": "tcp://far:2376"}, id="host"),
        pytest.param({"DOCKER_CONTEXT": "colima"}, id="context"),
    ],
)
def test_an_engine_that_was_chosen_is_left_to_docker(environment: dict[str, str]) -> None:
    assert search(ROOTLESS, PODMAN, **environment).found_host is None
    assert search(ROOTLESS, PODMAN, **environment).podman_host is None


def test_the_default_socket_is_left_to_docker() -> None:
    assert search(DEFAULT_SOCKET, ROOTLESS, PODMAN).found_host is None
    assert search(DEFAULT_SOCKET, ROOTLESS, PODMAN).podman_host is None


def test_no_socket_is_no_engine() -> None:
    assert search().found_host is None
    assert search().podman_host is None


def test_a_context_of_dockers_configuration_is_a_choice(tmp_path: Path) -> None:
    environment = write_config(tmp_path, '{"currentContext": "colima"}')
    assert chosen_context(environment) == "colima"
    assert search(ROOTLESS, **environment).found_host is None


@pytest.mark.parametrize(
    ("environment", "context"),
    [
        pytest.param({"DOCKER_HOST": "tcp://a", "DOCKER_CONTEXT": "far"}, None, id="host"),
        pytest.param({"DOCKER_CONTEXT": "far"}, "far", id="context"),
        pytest.param({"DOCKER_CONTEXT": "default"}, None, id="default"),
        pytest.param({"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}, "colima", id="empty"),
    ],
)
def test_choices_are_in_dockers_own_order(
    tmp_path: Path, environment: dict[str, str], context: str | None
) -> None:
    config = write_config(tmp_path, '{"currentContext": "colima"}')
    assert chosen_context({**config, **environment}) == context


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("[" * 100_000, id="deep nesting"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"currentContext": 1}', id="wrong type"),
        pytest.param('{"currentContext": ""}', id="empty"),
        pytest.param('{"currentContext": "default"}', id="default"),
    ],
)
def test_a_configuration_that_says_nothing_chooses_nothing(tmp_path: Path, config: str) -> None:
    assert chosen_context(write_config(tmp_path, config)) is None


def test_the_configuration_is_where_docker_has_it() -> None:
    assert docker_config_directory({"HOME": "/me"}) == Path("/me/.docker")
    assert docker_config_directory({"HOME": "/me", "DOCKER_CONFIG": "/ci"}) == Path("/ci")
    assert docker_config_directory({}) is None
    assert chosen_context({}) is None


@pytest.mark.parametrize(
    ("metadata", "host"),
    [
        pytest.param({"Endpoints": {"docker": {"Host": "ssh://far"}}}, "ssh://far", id="written"),
        pytest.param({"Endpoints": {"docker": {"Host": 1}}}, None, id="wrong type"),
        pytest.param({"Endpoints": []}, None, id="no endpoints"),
    ],
)
def test_the_address_of_a_context_is_what_the_docker_cli_wrote(
    tmp_path: Path, metadata: object, host: str | None
) -> None:
    # The SHA-256 of "far", which is what the Docker CLI calls its directory.
    name = "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868"
    directory = tmp_path / "contexts" / "meta" / name
    directory.mkdir(parents=True)
    (directory / "meta.json").write_text(json.dumps(metadata))
    assert context_host({"DOCKER_CONFIG": str(tmp_path)}, "far") == host
    assert context_host({"DOCKER_CONFIG": str(tmp_path)}, "other") is None
    assert context_host({}, "far") is None


@pytest.mark.parametrize(
    ("environment", "described"),
    [
        pytest.param({}, "unix:///var/run/docker.sock", id="nothing"),
        pytest.param({"DOCKER_CONTEXT": "far"}, "the context 'far'", id="context"),
        pytest.param({"DOCKER_HOST": "ssh://me:pw@far"}, "ssh://***@far", id="host"),
    ],
)
def test_where_docker_looks_is_said_without_credentials(
    environment: dict[str, str], described: str
) -> None:
    assert search(**environment).described == described


@pytest.mark.parametrize(
    "host", ["unix:///tmp/podman/podman-machine-default-api.sock", f"unix://{PODMAN}"]
)
def test_an_engine_of_podman_is_told_by_its_socket(host: str) -> None:
    assert search(DOCKER_HOST=host).podman_host == host


def test_the_home_of_somebody_called_podman_is_no_engine_of_podman() -> None:
    assert search(DOCKER_HOST="unix:///home/podman/docker.sock").podman_host is None


def test_a_link_to_podmans_socket_is_podman(tmp_path: Path) -> None:
    link = tmp_path / "docker.sock"
    with listening(tmp_path / "podman.sock") as target:
        link.symlink_to(target)
        assert search(DOCKER_HOST=f"unix://{link}").podman_host == f"unix://{link}"


def test_podman_is_found_where_no_docker_engine_is() -> None:
    assert search(PODMAN).podman_host == f"unix://{PODMAN}"
    assert search("/run/podman/podman.sock").podman_host == "unix:///run/podman/podman.sock"


def test_a_socket_that_nobody_listens_to_any_more_does_not_answer(tmp_path: Path) -> None:
    with listening(tmp_path / "here") as path:
        assert is_socket(str(path))
        assert is_answering(str(path))
    assert is_socket(str(path))
    assert not is_answering(str(path))
    assert not is_socket(str(tmp_path))
    assert not is_answering("/" + "long" * 100)
    assert not is_socket("a\0b")


def test_docker_is_told_of_an_engine_only_where_one_was_found(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    if os.path.exists(DEFAULT_SOCKET):
        # A machine with an engine of its own, which is then the right one.
        environment["DOCKER_CONTEXT"] = "far"
    with listening(tmp_path / "docker.sock") as path:
        expected = {} if "DOCKER_CONTEXT" in environment else {"DOCKER_HOST": f"unix://{path}"}
        assert engine_environment(environment) == expected
