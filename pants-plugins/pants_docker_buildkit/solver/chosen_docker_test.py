from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.session.local_engine import LocalEngine
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.session.testing.fake_engine import FakeEngine
from pants_docker_buildkit.solver import chosen_docker
from pants_docker_buildkit.solver.chosen_docker import engine_socket
from pants_docker_buildkit.solver.errors import DockerCliNeededError, EngineUnreachableError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

REFERENCE = f"app@sha256:{'a' * 64}"
FAR = "ssh://me:s3cret@far"
# What `docker system dial-stdio` does: pass on what it is given, in both directions.
DIAL = """\
import os, socket, sys, threading
engine = socket.socket(socket.AF_UNIX)
engine.connect(sys.argv[1])
def up():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := engine.recv(65536):
    os.write(1, data)
"""


def profile(directory: Path, host: str) -> Profile:
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "DOCKER_HOST": host}
    return Profile(Reach(tuple(sorted(environment.items()))))


def test_a_socket_of_this_machine_needs_no_docker(tmp_path: Path) -> None:
    with engine_socket(profile(tmp_path / "empty", "unix:///some.sock"), tmp_path) as path:
        assert path == "/some.sock"


def test_an_engine_elsewhere_is_reached_through_docker(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    with FakeEngine(tmp_path / "far.sock").running() as far:
        far.images.add(REFERENCE)
        dial = shlex.join((sys.executable, "-c", DIAL, str(tmp_path / "far.sock")))
        docker = FakeDocker(tmp_path / "bin").answer("version", "1.44\n")
        docker.answer("system dial-stdio", run=dial)
        told = profile(docker.directory, FAR)
        engine = LocalEngine("far", lambda: engine_socket(told, tmp_path / "session"))
        assert engine.find(REFERENCE, ["app:1"]).result(30).is_present
        assert far.tags == [(REFERENCE, "app:1")]
        engine.close()
    assert list((tmp_path / "session").rglob("*.sock")) == []


def test_an_engine_elsewhere_that_does_not_answer_is_named(tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "bin")
    docker.answer("version", stderr="error during connect: no route to host", exit_code=1)
    with (
        pytest.raises(EngineUnreachableError) as e,
        engine_socket(profile(docker.directory, FAR), tmp_path),
    ):
        pass
    assert "no route to host" in str(e.value)
    assert "s3cret" not in str(e.value)


def test_an_engine_elsewhere_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen_docker, "_ANSWER_SECONDS", 0.5)
    docker = FakeDocker(tmp_path / "bin").answer("version", run="exec sleep 600")
    with (
        pytest.raises(EngineUnreachableError, match="does not answer: it gave no answer in"),
        engine_socket(profile(docker.directory, FAR), tmp_path),
    ):
        pass


def test_an_engine_elsewhere_needs_the_docker_cli(tmp_path: Path) -> None:
    with pytest.raises(DockerCliNeededError) as e, engine_socket(profile(tmp_path, FAR), tmp_path):
        pass
    assert str(e.value).startswith("The output 'docker' needs the Docker CLI, but no executable")
