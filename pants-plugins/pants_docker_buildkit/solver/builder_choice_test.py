from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.builder_choice import choose_builder, engine_host
from pants_docker_buildkit.solver.errors import EngineUnreachableError, UnknownBuilderError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

ENGINE = "Name: default\nDriver: docker\n\nNodes:\nName: default\nEndpoint: default\n"
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nEndpoint: tcp://far:1\n"
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


def test_unknown_builder_is_named_with_what_buildx_says(docker: FakeDocker, tmp_path: Path) -> None:
    docker.answer("buildx inspect", stderr='ERROR: no builder "far" found\n', exit_code=1)
    with pytest.raises(UnknownBuilderError) as raised:
        choose_builder(docker.cli(), "far", tmp_path)
    assert str(raised.value) == (
        "The builder 'far' cannot be used: no builder \"far\" found. List the builders there are"
        " with 'docker buildx ls', create one with 'docker buildx create', or change the 'builder'"
        " field or '[docker-buildkit].builder'."
    )


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        pytest.param({"DOCKER_HOST": "unix:///x.sock"}, "unix:///x.sock", id="host"),
        pytest.param({}, "the current Docker context", id="context"),
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


def test_buildx_that_fails_without_a_name_is_an_engine_that_does_not_answer(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", stderr="\n", exit_code=1)
    with pytest.raises(EngineUnreachableError, match="does not answer: it gave no reason"):
        choose_builder(docker.cli(), None, tmp_path)


def test_remote_builder_that_does_not_answer_is_not_called_an_engine(
    docker: FakeDocker, tmp_path: Path
) -> None:
    docker.answer("buildx inspect", FAR.replace("\n\n", "\nError: connection refused\n\n"))
    with pytest.raises(UnknownBuilderError, match="'far' cannot be used: connection refused"):
        choose_builder(docker.cli(), "far", tmp_path)


def test_a_failure_is_not_remembered(docker: FakeDocker, tmp_path: Path) -> None:
    broken = FakeDocker(tmp_path / "broken").answer("buildx inspect", NO_ENGINE)
    with pytest.raises(EngineUnreachableError):
        choose_builder(broken.cli(), None, tmp_path)
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
