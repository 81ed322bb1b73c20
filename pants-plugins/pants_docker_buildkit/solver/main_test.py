"""The whole program, beside a `docker` that gives prepared answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.errors import EXIT_FAILED, EXIT_NO_SESSION
from pants_docker_buildkit.solver.input_tree import JOB_FILE, ROOT
from pants_docker_buildkit.solver.main import BUILD_COMMAND, CHECK_COMMAND, main
from pants_docker_buildkit.solver.profile import (
    EVENTS_DIRECTORY,
    PROFILE_FILE,
    SETTINGS_DIRECTORY,
    BuildSettings,
    Profile,
    event_path,
    settings_path,
)
from pants_docker_buildkit.solver.result import parse_build_result
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.testing.fake_engine import FakeEngine

KEY, BUILD, SHA = "0123abcd", "blake3:" + "1" * 64, "sha256:" + "a" * 64
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nEndpoint: tcp://far:1\n"
ENGINE = "Name: default\nDriver: docker\n\nNodes:\nName: default\nEndpoint: default\n"
CONTAINERD = f"{ENGINE}Labels:\n org.mobyproject.buildkit.worker.containerd.namespace: moby\n"
METADATA = {
    "containerimage.descriptor": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": SHA,
        "size": 4,
    },
    "containerimage.config.digest": SHA,
}


class Sandbox:
    """A sandbox with a job, the session that started it, and its `docker`."""

    def __init__(self, directory: Path, output: str) -> None:
        self.directory = directory
        self.session = directory / "session"
        self.docker = FakeDocker(directory / "bin")
        for path in (SETTINGS_DIRECTORY, EVENTS_DIRECTORY):
            (self.session / path).mkdir(parents=True)
        (directory / ROOT).mkdir()
        repositories = ("localhost:5000/app",) if output == "registry" else ()
        definition = BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), output)
        job = BuildJob(BUILD, definition, repositories)
        (directory / ROOT / JOB_FILE).write_bytes(job.to_json())
        settings = BuildSettings(target="src/app:image")
        settings_path(self.session, KEY).write_bytes(settings.to_json())
        self.profile(PATH=f"{self.docker.directory}:/usr/bin:/bin")

    def profile(self, **environment: str) -> None:
        profile = Profile(tuple(sorted(environment.items())))
        (self.session / PROFILE_FILE).write_bytes(profile.to_json())

    def builds(self) -> None:
        """Let `docker buildx build` succeed."""
        metadata = self.directory / "metadata"
        metadata.write_text(json.dumps(METADATA))
        find_flag = 'while [ "$1" != --metadata-file ]; do shift; done'
        self.docker.answer("buildx build", run=f'{find_flag}; cat {metadata} >"$2"')

    def run(self, generation: str = "0") -> int:
        return main(str(self.session), BUILD_COMMAND, KEY, generation)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A build whose output is a registry."""
    monkeypatch.chdir(tmp_path)
    return Sandbox(tmp_path, "registry")


def test_a_build_prints_its_result_and_leaves_an_event(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.builds()
    assert sandbox.run("3") == 0
    assert parse_build_result(capsys.readouterr().out.encode(), BUILD, 1).digest == SHA
    assert event_path(sandbox.session, KEY, 3).exists()


def test_an_engine_pushes_through_a_remote_builder_of_its_own(sandbox: Sandbox) -> None:
    sandbox.docker.answer("buildx inspect", CONTAINERD).answer("buildx create")
    sandbox.builds()
    with FakeEngine(sandbox.directory / "engine").running() as engine:
        sandbox.profile(PATH=f"{sandbox.docker.directory}:/usr/bin:/bin", DOCKER_HOST=engine.host)
        assert sandbox.run() == 0
    assert "--builder pants-docker-buildkit" in sandbox.docker.calls[-1]


def test_a_layout_needs_no_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, "oci")
    sandbox.docker.answer("buildx inspect", CONTAINERD).answer("buildx build", exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    assert [call.split()[1] for call in sandbox.docker.calls] == ["inspect", "build"]


def test_a_build_without_a_session_is_left_to_another_run(tmp_path: Path) -> None:
    assert main(str(tmp_path), BUILD_COMMAND, KEY, "0") == EXIT_NO_SESSION


def test_a_failed_build_leaves_no_event_and_no_result(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer("buildx build", stderr="ERROR: no space left\n", exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "ERROR: no space left\n")
    assert not event_path(sandbox.session, KEY, 0).exists()


def test_no_docker_is_an_error_of_one_sentence_and_the_next_step(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.profile(PATH=str(sandbox.directory / "empty"))
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err.startswith("Building needs the Docker CLI with buildx, but no")


@pytest.mark.parametrize("output", ["registry", "oci", "docker"])
def test_the_older_image_store_is_refused_with_how_to_turn_on_the_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, output)
    sandbox.docker.answer("buildx inspect", ENGINE)
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"The output '{output}' needs a Docker Engine with the containerd image store, but this one"
        " has the older store. Turn it on ('features': {'containerd-snapshotter': true} in the"
        " engine's daemon.json), or create a builder with 'docker buildx create --driver"
        " docker-container' and name it in '[docker-buildkit].builder'.\n"
    )


def test_a_file_that_cannot_be_used_is_named(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    (sandbox.directory / ROOT / JOB_FILE).unlink()
    assert sandbox.run() == EXIT_FAILED
    error = capsys.readouterr().err
    assert JOB_FILE in error
    assert "No such file" in error


@pytest.mark.parametrize(("exit_code", "word"), [(0, "present"), (1, "missing")])
def test_the_engine_is_asked_whether_it_has_an_image(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], exit_code: int, word: str
) -> None:
    sandbox.docker.answer("image inspect", stderr="No such image: a", exit_code=exit_code)
    assert main(str(sandbox.session), CHECK_COMMAND, "0", f"app@{SHA}") == 0
    assert capsys.readouterr().out == f"{word}\n"


def test_an_image_for_the_engine_is_not_built_without_the_docker_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, "docker")
    sandbox.docker.binary.rename(sandbox.docker.directory / "docker-buildx")
    sandbox.profile(PATH=str(sandbox.docker.directory))
    needed = (
        "The output 'docker' needs the Docker CLI, but no executable 'docker' is on the path"
        f" {str(sandbox.docker.directory)!r}. Install Docker 23 or later, or set"
        " '[docker-buildkit].docker' or '[docker-buildkit].executable_search_paths'.\n"
    )
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err == needed
    assert main(str(sandbox.session), CHECK_COMMAND, "0", f"app@{SHA}") == EXIT_FAILED
    assert capsys.readouterr().err == needed
    assert sandbox.docker.calls == []


def test_the_docker_of_the_profile_is_used(sandbox: Sandbox) -> None:
    chosen = FakeDocker(sandbox.directory / "chosen", "docker-28").answer("buildx inspect", FAR)
    profile = Profile((("PATH", "/usr/bin:/bin"),), str(chosen.binary))
    (sandbox.session / PROFILE_FILE).write_bytes(profile.to_json())
    sandbox.run()
    assert chosen.calls[0] == "buildx inspect"


def test_the_current_context_is_the_one_of_the_users_configuration(sandbox: Sandbox) -> None:
    (sandbox.directory / "config.json").write_text('{"currentContext": "far"}')
    sandbox.docker.answer("buildx inspect", run='echo "$DOCKER_CONTEXT" >context', exit_code=1)
    sandbox.profile(PATH=f"{sandbox.docker.directory}:/bin", DOCKER_CONFIG=str(sandbox.directory))
    assert sandbox.run() == EXIT_FAILED
    assert (sandbox.directory / "context").read_text() == "far\n"
