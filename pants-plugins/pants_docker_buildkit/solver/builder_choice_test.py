from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from pants_docker_buildkit.solver import builder_choice, engine_search
from pants_docker_buildkit.solver.builder_choice import choose_builder, engine_host, forget_builders
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    EngineUnreachableError,
    PodmanEngineError,
    TurnedAwayError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.testing.fake_engine import FakeEngine

ENGINE = "Name: default\nDriver: docker\n\nNodes:\nName: default\nEndpoint: default\n"
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nStatus: running\n"
FIRST_IS_AWAY = FAR.replace("Nodes:\n", "Nodes:\nName: far1\nStatus: inactive\n")
ON_CONTEXT = ENGINE.replace("Endpoint: default", "Endpoint: colima")
NO_ENGINE = (
    "Name: default\nDriver:\nError: Cannot connect to the Docker daemon at unix:///x.sock.\n"
)


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


def test_the_current_builder_is_used_where_none_is_named(
    docker: FakeDocker, tmp_path: Path
) -> None:
    builder = choose_builder(docker.answer("buildx inspect", ENGINE).cli(), None, tmp_path)
    assert builder.name == "default"
    assert docker.calls == ["buildx inspect"]


def test_a_named_builder_is_asked_for_by_name(docker: FakeDocker, tmp_path: Path) -> None:
    assert choose_builder(docker.answer("buildx inspect far", FAR).cli(), "far", tmp_path) == (
        choose_builder(docker.cli(), "far", tmp_path)
    )


def test_builds_of_one_session_that_start_together_ask_once(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", ENGINE, run="sleep 0.2")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(choose_builder(docker.cli(), None, tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(docker.calls) == 1


def test_builders_with_different_names_are_asked_for_separately(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect far", FAR).answer("buildx inspect", ENGINE)
    assert choose_builder(docker.cli(), "far", tmp_path).name == "far"
    assert choose_builder(docker.cli(), None, tmp_path).name == "default"


@pytest.mark.parametrize(("name", "variable"), [("far", ""), (None, "far")])
def test_unknown_builder_is_named_with_what_buildx_says(
    docker: FakeDocker, tmp_path: Path, name: str | None, variable: str
) -> None:
    docker.answer("buildx inspect", stderr='ERROR: no builder "far" found\n', exit_code=1)
    with pytest.raises(UnknownBuilderError) as raised:
        choose_builder(docker.cli(BUILDX_BUILDER=variable), name, tmp_path)
    assert str(raised.value) == (
        "The builder 'far' cannot be used: no builder \"far\" found. List the builders there are"
        " with 'docker buildx ls', create one with 'docker buildx create' or describe one in"
        " '[docker-buildkit.builders]', or change what names it: the 'builder' field,"
        " '[docker-buildkit].builder' or BUILDX_BUILDER."
    )


def test_a_name_is_not_taken_for_a_flag(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", ENGINE)
    with pytest.raises(
        UnknownBuilderError, match="The builder '--help' cannot be used: no builder"
    ):
        choose_builder(docker.cli(), "--help", tmp_path)
    assert not docker.calls


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        pytest.param({"DOCKER_HOST": "unix:///x.sock"}, "unix:///x.sock", id="host"),
        pytest.param({"DOCKER_CONTEXT": "far"}, "the context 'far'", id="context"),
    ],
)
def test_engine_that_does_not_answer_is_named_with_what_it_is_needed_for(
    docker: FakeDocker, tmp_path: Path, environment: dict[str, str], where: str
) -> None:
    cli = docker.answer("buildx inspect", NO_ENGINE).cli(**environment)
    with pytest.raises(EngineUnreachableError) as raised:
        choose_builder(cli, None, tmp_path)
    assert str(raised.value) == (
        f"Building needs BuildKit, but the Docker Engine at {where} does not answer: Cannot connect"
        " to the Docker daemon at unix:///x.sock. Start it, point DOCKER_HOST or 'docker context"
        " use' at another one, or name a builder in '[docker-buildkit].builder'. An image that"
        " Pants has a record of needs no engine."
    )


@pytest.mark.parametrize("name", [None, "far"])
def test_an_engine_whose_ssh_server_has_too_many_connections_is_not_called_away(
    docker: FakeDocker, tmp_path: Path, name: str | None
) -> None:
    """Who builds tries it again."""
    said = "kex_exchange_identification: Connection closed by remote host"
    cli = docker.answer("buildx inspect", stderr=f"ERROR: {said}\n", exit_code=1).cli()
    with pytest.raises(TurnedAwayError, match=f"turned the connection away, .*: {said}"):
        choose_builder(cli, name, tmp_path)


def test_buildx_that_fails_without_a_name_is_an_engine_that_does_not_answer(
    docker: FakeDocker, tmp_path: Path
) -> None:
    cli = docker.answer("buildx inspect", stderr="\n", exit_code=1).cli(DOCKER_HOST="tcp://far")
    with pytest.raises(EngineUnreachableError, match="does not answer: it gave no reason"):
        choose_builder(cli, None, tmp_path)


def test_remote_builder_that_does_not_answer_is_not_called_an_engine(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FAR.replace("\n\n", "\nError: connection refused\n\n"))
    with pytest.raises(UnknownBuilderError, match="'far' cannot be used: connection refused"):
        choose_builder(docker.cli(), "far", tmp_path)


def test_a_failure_is_not_remembered(docker: FakeDocker, tmp_path: Path) -> None:
    broken = FakeDocker(tmp_path / "broken").answer("buildx inspect", NO_ENGINE)
    with pytest.raises(EngineUnreachableError):
        choose_builder(broken.cli(DOCKER_HOST="tcp://far"), None, tmp_path)
    docker.answer("buildx inspect", ENGINE)
    assert choose_builder(docker.cli(), None, tmp_path).name == "default"


def test_engine_is_the_one_that_docker_host_names(docker: FakeDocker, tmp_path: Path) -> None:
    cli = docker.answer("buildx inspect", ENGINE).cli(DOCKER_HOST="unix:///mine.sock")
    assert engine_host(cli, choose_builder(cli, None, tmp_path)) == "unix:///mine.sock"


def test_engine_of_a_context_is_the_contexts_and_not_docker_hosts(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", ON_CONTEXT).answer("context inspect", "unix:///colima.sock\n")
    cli = docker.cli(DOCKER_HOST="unix:///mine.sock")
    assert engine_host(cli, choose_builder(cli, "colima", tmp_path)) == "unix:///colima.sock"
    assert docker.calls[-1].endswith(" colima")


def test_engine_is_at_dockers_own_socket_where_nothing_says_otherwise(
    docker: FakeDocker, tmp_path: Path
) -> None:
    cli = docker.answer("buildx inspect", ENGINE).answer("context inspect", exit_code=1).cli()
    host = engine_host(cli, choose_builder(cli, None, tmp_path))
    assert host == "unix:///var/run/docker.sock"


def test_engine_of_a_context_is_read_from_its_file_without_a_docker_cli(tmp_path: Path) -> None:
    FakeDocker(tmp_path / "bin", "docker-buildx").answer("inspect", ON_CONTEXT)
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"colima").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text('{"Endpoints": {"docker": {"Host": "unix:///colima.sock"}}}')
    docker = DockerCli.find({"PATH": str(tmp_path / "bin"), "DOCKER_CONFIG": str(tmp_path)})
    builder = choose_builder(docker, None, tmp_path)
    assert engine_host(docker, builder) == "unix:///colima.sock"


@pytest.fixture
def no_default_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_search, "DEFAULT_SOCKET", "/nowhere/docker.sock")


@pytest.mark.usefixtures("no_default_socket")
def test_an_engine_that_nobody_chose_is_asked_where_no_other_answers(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", ENGINE, run='if [ -z "$DOCKER_HOST" ]; then exit 1; fi')
    cli = docker.cli(XDG_RUNTIME_DIR=str(tmp_path))
    with FakeEngine(tmp_path / "docker.sock").running():
        assert choose_builder(cli, None, tmp_path).is_docker_engine
    assert len(docker.calls) == 2


@pytest.mark.usefixtures("no_default_socket")
def test_a_builder_that_docker_buildx_use_chose_wins_over_an_engine_that_nobody_did(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FAR)
    with FakeEngine(tmp_path / "docker.sock").running():
        assert choose_builder(docker.cli(XDG_RUNTIME_DIR=str(tmp_path)), None, tmp_path).name == (
            "far"
        )
    assert len(docker.calls) == 1


IN_A_CONTAINER = ENGINE.replace("Driver: docker", "Driver: docker-container")
PODMAN_REFUSED = (
    "Building needs BuildKit, but the engine at {where} is Podman's, which has none. Start a Docker"
    " Engine or a BuildKit: make the latter a builder with 'docker buildx create --driver remote"
    " --name NAME unix:///run/buildkit/buildkitd.sock', for example, and name it in"
    " '[docker-buildkit].builder'. An image that Pants has a record of needs no engine."
)


def test_an_engine_that_says_it_is_podman_is_named(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", IN_A_CONTAINER).answer("version", "Podman Engine\nConmon\n")
    with pytest.raises(PodmanEngineError) as raised:
        choose_builder(docker.cli(DOCKER_HOST="tcp://far"), None, tmp_path)
    assert str(raised.value) == PODMAN_REFUSED.format(where="tcp://far")


def test_a_docker_that_is_podman_is_named(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", ENGINE.replace("Driver: docker", "Driver: podman"))
    with pytest.raises(PodmanEngineError):
        choose_builder(docker.cli(), None, tmp_path)


def test_a_standalone_buildx_tells_podman_by_its_socket(tmp_path: Path) -> None:
    FakeDocker(tmp_path, "docker-buildx").answer("inspect", IN_A_CONTAINER)
    host = "unix:///run/podman/podman.sock"
    with pytest.raises(PodmanEngineError, match=host):
        choose_builder(DockerCli.find({"PATH": str(tmp_path), "DOCKER_HOST": host}), None, tmp_path)


def test_a_builder_that_somebody_created_in_podman_is_used(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FAR).answer("version", "Podman Engine\n")
    host = "unix:///run/podman/podman.sock"
    assert choose_builder(docker.cli(DOCKER_HOST=host), "far", tmp_path).name == "far"


@pytest.mark.usefixtures("no_default_socket")
def test_podman_is_named_where_there_is_nothing_else(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", NO_ENGINE)
    path = tmp_path / "podman" / "podman.sock"
    path.parent.mkdir()
    with FakeEngine(path).running() as engine, pytest.raises(PodmanEngineError) as raised:
        choose_builder(docker.cli(XDG_RUNTIME_DIR=str(tmp_path)), None, tmp_path)
    assert str(raised.value) == PODMAN_REFUSED.format(where=engine.host)


def test_remote_builder_that_is_not_there_is_named_with_the_reason(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FAR.replace("running", "inactive"))
    reason = 'Unavailable: connection error: desc = "remote error: tls: certificate required"'
    docker.answer("buildx du", stderr=f"ERROR: {reason}\n", exit_code=1)
    with pytest.raises(UnknownBuilderError) as raised:
        choose_builder(docker.cli(), "far", tmp_path)
    assert str(raised.value).startswith(f"The builder 'far' cannot be used: {reason}. List the")


def test_a_remote_builder_whose_first_node_is_gone_builds_on_another(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FIRST_IS_AWAY)
    assert choose_builder(docker.cli(), "far", tmp_path).is_running
    assert docker.calls == ["buildx inspect far"]


def test_a_remote_builder_of_which_one_node_comes_is_waited_for(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder_choice, "_REMOTE_SECONDS", 0.0)
    answers = tmp_path / "answers"
    answers.write_text(FIRST_IS_AWAY.replace("running", "inactive"))
    later = tmp_path / "later"
    later.write_text(FIRST_IS_AWAY)
    docker.answer("buildx inspect", run=f"cat {answers}; cp {later} {answers}")
    docker.answer("buildx du", stderr="ERROR: it is away\n", exit_code=1)
    assert choose_builder(docker.cli(), "far", tmp_path).is_running


def test_builders_of_one_name_on_two_engines_are_two(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", ENGINE)
    choose_builder(docker.cli(), "default", tmp_path)
    choose_builder(docker.cli().at_engine("colima"), "default", tmp_path)
    choose_builder(docker.cli().at_engine("ssh://build@far"), "default", tmp_path)
    choose_builder(docker.cli(), "default", tmp_path)
    assert len(docker.calls) == 3


def test_a_builder_that_is_forgotten_is_asked_again(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", ENGINE)
    choose_builder(docker.cli(), None, tmp_path)
    forget_builders(tmp_path)
    choose_builder(docker.cli(), None, tmp_path)
    assert len(docker.calls) == 2
