"""The whole program, beside a `docker` that gives prepared answers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.settings import RegistrySettings
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.session.context_files import DIRECTORY, FILE, ContextPath, write_contents
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    CACHE_LINK,
    EXIT_CONTEXT_NEEDED,
    EXIT_NO_SESSION,
    PROGRESS_FILE,
    deliveries_path,
    event_path,
    permit_path,
    remove_directory,
)
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.testing.context_rows import to_rows
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver import turned_away
from pants_docker_buildkit.solver.context_memory import CONTEXTS_DIRECTORY
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob, PinnedSource
from pants_docker_buildkit.solver.docker_config import HELPER, HELPER_COMMAND
from pants_docker_buildkit.solver.errors import EXIT_FAILED
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, ROOT
from pants_docker_buildkit.solver.main import main
from pants_docker_buildkit.solver.repetition import REPEAT_BY_HAND, SCRIPT
from pants_docker_buildkit.solver.result import parse_build_result
from pants_docker_buildkit.solver.source_policy import render_source_policy
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.testing.fake_engine import FakeEngine
from pants_docker_buildkit.testing.processes import wait_until

PACKAGES = str(Path(__file__).parents[2])
KEY, BUILD, SHA = "0123abcd", "blake3:" + "1" * 64, "sha256:" + "a" * 64
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nStatus: running\n"
ENGINE = "Name: default\nDriver: docker\n\nNodes:\nName: default\nEndpoint: default\n"
CONTAINERD = f"{ENGINE}Labels:\n org.mobyproject.buildkit.worker.containerd.namespace: moby\n"
IMAGE = SmallImage.create()
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
METADATA = {
    "containerimage.descriptor": {
        "mediaType": MEDIA_TYPE,
        "digest": IMAGE.digest,
        "size": len(IMAGE.manifest),
    },
    "containerimage.config.digest": sha256_digest(IMAGE.config),
}


class Sandbox:
    """A sandbox with a job, the session that started it, and its `docker`."""

    def __init__(
        self,
        directory: Path,
        output: str,
        registry: str = "localhost:5000",
        **definition: Any,
    ) -> None:
        self.directory = directory
        self.docker = FakeDocker(directory / "bin")
        self._path = f"{self.docker.directory}:/usr/bin:/bin"
        self._session = FakeSession(directory / "session")
        self._session.registries = ((registry, RegistrySettings(has_digest_tags=False)),)
        self.session = self._session.directory
        (directory / ROOT / DOCKERFILE).parent.mkdir(parents=True)
        (directory / ROOT / DOCKERFILE).write_text("FROM scratch\n")
        self.permit({"context": ContextPath(DIRECTORY)})
        self._repositories = (f"{registry}/app",) if output == "registry" else ()
        image = PinnedSource.image("docker.io/a/b:1", f"docker.io/a/b:1@{SHA}")
        self.definition = BuildDefinition(
            "d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), output, **definition
        )
        self.reads(image)
        self.settings()
        self.profile()

    def reads(self, *sources: PinnedSource) -> None:
        """Let the job read this, and nothing else."""
        self.definition = replace(self.definition, sources=sources)
        job = BuildJob(BUILD, self.definition, self._repositories)
        (self.directory / ROOT / JOB_FILE).write_bytes(job.to_json())

    def permit(self, contents: Mapping[str, ContextPath], generation: int = 0) -> None:
        write_contents(permit_path(self.session, KEY, generation), to_rows(contents))

    def settings(self, **settings: Any) -> None:
        self._session.add_build(KEY, BuildSettings(target="src/app:image", **settings))

    def docker_is(self, program: str) -> None:
        self._session.be(program, PATH="/usr/bin:/bin")

    def profile(self, **environment: str) -> None:
        self._session.be(None, **{"PATH": self._path, **environment})

    def refuses_pushes(self) -> None:
        self._session.find_push_problem = lambda name: (
            f"No push of {name.kind} {name.repository} as {name.account}."
        )

    def builds(self) -> None:
        """Let `docker buildx build` succeed."""
        metadata = self.directory / "metadata"
        metadata.write_text(json.dumps(METADATA))
        find_flag = 'while [ "$1" != --metadata-file ]; do shift; done'
        self.docker.answer("buildx build", run=f'{find_flag}; cat {metadata} >"$2"')

    def run(self, generation: str = "0") -> int:
        """What comes of a build that may run."""
        return main(str(self.session), BUILD_COMMAND, KEY, generation)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A build whose output is a registry, which has what it pushes."""
    monkeypatch.chdir(tmp_path)
    with FakeRegistry().running() as registry:
        repository = registry.repository("app")
        repository.manifests[IMAGE.digest] = (MEDIA_TYPE, IMAGE.manifest)
        repository.blobs[sha256_digest(IMAGE.config)] = IMAGE.config
        yield Sandbox(tmp_path, "registry", registry.address)


def test_a_build_prints_its_result_and_leaves_an_event(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.builds()
    sandbox.permit({}, 3)
    assert sandbox.run("3") == 0
    assert parse_build_result(capsys.readouterr().out.encode(), BUILD, 1).digest == IMAGE.digest
    assert event_path(sandbox.session, KEY, 3).exists()


def test_a_build_whose_contexts_are_not_there_asks_for_them(sandbox: Sandbox) -> None:
    received = sandbox.directory / "received"
    read = f'for last; do :; done; cat "$last/a" >{received}; exit 1'
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer("buildx build", run=read)
    content = b"the content"
    file = ContextPath(FILE, sha256_digest(content).rpartition(":")[2], len(content))
    sandbox.permit({"context": ContextPath(DIRECTORY), "context/a": file})
    assert sandbox.run() == EXIT_CONTEXT_NEEDED
    assert sandbox.docker.calls == []
    brought = deliveries_path(sandbox.session, KEY, 0) / "1" / "context" / "a"
    brought.parent.mkdir(parents=True)
    brought.write_bytes(content)
    assert sandbox.run() == EXIT_FAILED
    assert received.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "other"),
    [(b'"ulimits"', b'"what_the_next_version_has"'), (b'"schema": 2', b'"schema": 3')],
)
def test_a_job_of_another_version_is_refused(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], text: bytes, other: bytes
) -> None:
    job = sandbox.directory / ROOT / JOB_FILE
    written = job.read_bytes()
    assert text in written
    job.write_bytes(written.replace(text, other))
    sandbox.permit({})
    assert sandbox.run() == EXIT_FAILED
    assert "the same version of the plugin" in capsys.readouterr().err
    assert sandbox.docker.calls == []


def test_nothing_is_built_in_a_directory_in_which_others_may_write(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    contexts = sandbox.directory / CONTEXTS_DIRECTORY
    contexts.mkdir()
    contexts.chmod(0o777)
    assert sandbox.run() == EXIT_FAILED
    assert "others may write there" in capsys.readouterr().err
    assert sandbox.docker.calls == []


def test_an_engine_pushes_through_a_remote_builder_of_its_own(sandbox: Sandbox) -> None:
    sandbox.docker.answer("buildx inspect", CONTAINERD).answer("buildx create")
    sandbox.builds()
    with FakeEngine(sandbox.directory / "engine").running() as engine:
        sandbox.profile(DOCKER_HOST=engine.host)
        assert sandbox.run() == 0
    assert "--builder pants-docker-buildkit" in sandbox.docker.calls[-1]


def sticky_pod(context: str, pods: Sequence[str]) -> str:
    """Where buildx' `kubernetes` driver builds with `loadbalance=sticky`.

    It hashes the absolute path of the context (`commands/build.go`, `podchooser.go`); its ring
    (serialx/hashring) has one place for each pod.
    """

    def place(text: str) -> tuple[int, int]:
        return struct.unpack("<qq", hashlib.md5(text.encode()).digest())

    ring = sorted(pods, key=lambda pod: place(f"{pod}-0"))
    after = (pod for pod in ring if place(context) < place(f"{pod}-0"))
    return next(after, ring[0])


def test_a_sticky_cluster_builds_an_image_in_the_same_pod(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.builds()
    pods = [f"buildkit-{number}" for number in range(200)]
    chosen, of_sandboxes = set(), set()
    for number in range(8):
        other = sandbox.directory / f"sandbox-{number}"
        shutil.copytree(sandbox.directory / ROOT, other / ROOT)
        monkeypatch.chdir(other)
        sandbox.permit({"context": ContextPath(DIRECTORY)}, number)
        assert sandbox.run(str(number)) == 0
        context = sandbox.docker.calls[-1].split()[-1]
        assert Path(context).is_absolute()
        chosen.add(sticky_pod(context, pods))
        of_sandboxes.add(sticky_pod(str(other / "context"), pods))
    assert len(chosen) == 1
    # Which is what the path of a sandbox would not give.
    assert len(of_sandboxes) > 1


@pytest.mark.parametrize("output", ["registry", "oci"])
def test_buildkit_gets_the_source_policy_of_the_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, output)
    sandbox.profile(**{POLICY_VARIABLE: "/a/policy/of/the/user.json"})
    received = tmp_path / "received.json"
    keep = f'cat "${POLICY_VARIABLE}" >{received}'
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer("buildx build", run=keep, exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    assert received.read_bytes() == render_source_policy(sandbox.definition)


def test_a_builder_that_the_build_boots_is_pulled_with_the_users_login(sandbox: Sandbox) -> None:
    inspected = (
        "Name:   mine\nDriver: docker-container\n\nNodes:\nName:           mine0\n"
        'Endpoint:       unix:///var/run/docker.sock\nDriver Options: image="mirror.example/bk:1"\n'
        "Status:         inactive\n"
    )
    received = sandbox.directory / "received.json"
    sandbox.docker.answer("buildx inspect", inspected)
    keep = f'cat "$DOCKER_CONFIG/config.json" >{received}'
    sandbox.docker.answer("buildx build", run=keep, exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    helpers = json.loads(received.read_text())["credHelpers"]
    assert helpers["mirror.example"] == HELPER


def test_a_layout_needs_no_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, "oci")
    sandbox.docker.answer("buildx inspect", CONTAINERD).answer("buildx build", exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    assert [call.split()[1] for call in sandbox.docker.calls] == ["inspect", "version", "build"]


def test_a_build_without_a_session_is_left_to_another_run(tmp_path: Path) -> None:
    assert main(str(tmp_path), BUILD_COMMAND, KEY, "0") == EXIT_NO_SESSION


def test_a_failed_build_leaves_no_event_and_no_result(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer("buildx build", stderr="ERROR: no space left\n", exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"ERROR: no space left\n{REPEAT_BY_HAND}\n")
    assert not event_path(sandbox.session, KEY, 0).exists()


def test_a_script_that_cannot_be_left_hides_no_failure(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer("buildx build", stderr="ERROR: no space left\n", exit_code=1)
    (sandbox.directory / ROOT / SCRIPT).mkdir()
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err.startswith("ERROR: no space left\n")


def test_a_home_that_cannot_be_written_is_named(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody can make anything there, not even root.
    home = "/proc/self/home"
    finding = f"mkdir {home}: no such file or directory"
    sandbox.docker.answer("buildx inspect", stderr=f"ERROR: {finding}\n", exit_code=1)
    sandbox.profile(HOME=home)
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"buildx needs to write to {home}/.docker/buildx, but cannot: {finding}. Make that"
        " directory writable, or point BUILDX_CONFIG, or HOME, at another one.\n"
    )


def test_a_full_disk_is_an_error_that_names_where(sandbox: Sandbox) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    script = (
        "import resource, sys; from pants_docker_buildkit.solver.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); sys.exit(main(*sys.argv[1:]))"
    )
    build = subprocess.run(
        [sys.executable, "-c", script, str(sandbox.session), BUILD_COMMAND, KEY, "0"],
        env={**os.environ, "PYTHONPATH": PACKAGES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == EXIT_FAILED
    assert build.stderr == (
        f"Building needs to use {sandbox.session} or {sandbox.directory}: File too large."
        " Raise the limit of the size of files (`ulimit -f`).\n"
    )


def test_a_file_of_the_session_that_cannot_be_used_has_the_path_that_users_know(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR).answer("buildx build", exit_code=1)
    assert sandbox.run() == EXIT_FAILED
    (lock,) = sandbox.session.glob("builder-*.lock")
    lock.with_suffix(".json").unlink()
    lock.unlink()
    lock.mkdir()
    capsys.readouterr()
    # As a sandbox shows it, which is gone when a user reads of it.
    shown = Path(CACHE_LINK)
    shown.symlink_to(sandbox.session.parent)
    assert main(str(shown / sandbox.session.name), BUILD_COMMAND, KEY, "0") == EXIT_FAILED
    assert capsys.readouterr().err.startswith(f"Builds need {lock}, which must be writable")


def test_a_label_that_no_program_takes_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = Sandbox(tmp_path, "oci", labels=(("notes", "x" * 200_000),))
    sandbox.docker.answer("buildx inspect", FAR)
    assert sandbox.run() == EXIT_FAILED
    assert "but that of '--label notes=…' has 200006." in capsys.readouterr().err


def test_what_a_step_prints_cannot_control_a_terminal(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    said = r"ERROR: \033]0;owned\007 \033[2J https://host/x?sig=s3cret"
    sandbox.docker.answer("buildx build", run=f"printf '{said}\\n' >&2; exit 1")
    assert sandbox.run() == EXIT_FAILED
    printed = capsys.readouterr().err
    assert not any(each != "\n" and ord(each) < 0x20 for each in printed)
    assert "https://host/x?***" in printed


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


def test_what_lies_where_a_build_keeps_a_file_is_named_with_what_to_do(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    contexts = sandbox.session.parent / CONTEXTS_DIRECTORY
    kept = contexts / "context.memory"
    kept.mkdir(parents=True)
    contexts.chmod(0o700)
    sandbox.permit({"context": ContextPath(DIRECTORY)})
    assert sandbox.run() == EXIT_FAILED
    error = capsys.readouterr().err
    assert error.startswith(f"Builds need {kept}, ")
    assert "Remove what is in the way, or choose another" in error


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("env=TOKEN", "the variable is not set"),
        ("file=/nonexistent", "there is no such file"),
        (r"command=printf '\000'", "it has a NUL byte, or more than 122880 bytes; put it"),
    ],
)
def test_a_secret_that_is_missing_is_told_before_anything_is_asked_of_a_builder(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], source: str, finding: str
) -> None:
    sandbox.settings(secrets=(("token", source),))
    sandbox.profile(PATH=f"{sandbox.docker.directory}:/usr/bin:/bin")
    assert sandbox.run() == EXIT_FAILED
    error = capsys.readouterr().err
    assert error.startswith(f"The build needs the secret 'token' from `{source}`, but {finding}")
    assert sandbox.docker.calls == []


def test_an_image_that_could_not_be_pushed_is_told_before_anything_is_asked_of_a_builder(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.refuses_pushes()
    assert sandbox.run() == EXIT_FAILED
    assert capsys.readouterr().err == "No push of image app as app.\n"
    assert sandbox.docker.calls == []


def test_secrets_reach_the_build(sandbox: Sandbox) -> None:
    sandbox.settings(secrets=(("a", "env=TOKEN"), ("b", f"file={sandbox.directory}/b")))
    sandbox.profile(TOKEN="s3cret")
    (sandbox.directory / "b").touch()
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.builds()
    assert sandbox.run() == 0
    call = sandbox.docker.calls[-1]
    assert "--secret id=a,type=env,env=PANTS_DOCKER_BUILDKIT_SECRET_0" in call
    assert f"--secret id=b,src={sandbox.directory}/b" in call


def test_a_build_that_is_killed_leaves_all_it_made_in_the_directory_of_its_session(
    sandbox: Sandbox,
) -> None:
    sandbox.docker.answer("buildx inspect", FAR)
    builds = sandbox.directory / "builds"
    sandbox.docker.answer("buildx build", run=f"touch {builds}; sleep 600")
    temporary = sandbox.directory / "temporary"
    temporary.mkdir()
    script = "import sys; from pants_docker_buildkit.solver.main import main; main(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(sandbox.session), BUILD_COMMAND, KEY, "0"],
        env={**os.environ, "PYTHONPATH": PACKAGES, "TMPDIR": str(temporary)},
        start_new_session=True,
    ) as build:
        wait_until(builds.exists)
        os.killpg(build.pid, signal.SIGKILL)
    assert list(temporary.iterdir()) == []
    assert len(list(sandbox.session.rglob("config.json"))) == 1
    remove_directory(sandbox.session)
    assert not sandbox.session.exists()


def give_credentials(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    find: Callable[[str, str], Credentials | None],
    server: str,
    *action: str,
) -> int:
    """Be the helper of a configuration that is for one registry."""
    config = directory / "config"
    config.mkdir()
    (config / "repositories.json").write_text('{"ghcr.io": "org/app"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{server}\n"))
    session = FakeSession(directory / "session", find).directory
    return main(str(session), HELPER_COMMAND, *action)


@pytest.mark.parametrize(
    ("credentials", "username", "secret"),
    [
        (Credentials("me", "s3cret"), "me", "s3cret"),
        (Credentials(identity_token="t0ken"), "<token>", "t0ken"),
    ],
)
def test_docker_gets_the_credentials_of_the_repository(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    credentials: Credentials,
    username: str,
    secret: str,
) -> None:
    asked: list[tuple[str, str]] = []

    def find(*repository: str) -> Credentials:
        asked.append((repository[0], repository[1]))
        return credentials

    assert give_credentials(tmp_path, monkeypatch, find, "ghcr.io", "get") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"ServerURL": "ghcr.io", "Username": username, "Secret": secret}
    assert asked == [("ghcr.io", "org/app")]


@pytest.mark.parametrize(
    ("server", "action"), [("quay.io", "get"), ("ghcr.io", "list"), ("ghcr.io", "get")]
)
def test_docker_gets_no_credentials_where_there_are_none_for_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: str,
    action: str,
) -> None:
    def find(registry: str, _: str) -> Credentials | None:
        return None if registry == "ghcr.io" else Credentials("me", "s3cret")

    assert give_credentials(tmp_path, monkeypatch, find, server, action) == EXIT_FAILED
    assert capsys.readouterr().out == "credentials not found in native keychain\n"


def test_docker_is_told_why_credentials_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(*_: str) -> Credentials | None:
        raise CredentialsUnavailableError("the option has env=X, but the variable is not set")

    assert give_credentials(tmp_path, monkeypatch, find, "ghcr.io", "get") == EXIT_FAILED
    assert "the variable is not set" in capsys.readouterr().out


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
    assert sandbox.docker.calls == []


def test_the_docker_of_the_profile_is_used(sandbox: Sandbox) -> None:
    chosen = FakeDocker(sandbox.directory / "chosen", "docker-28").answer("buildx inspect", FAR)
    sandbox.docker_is(str(chosen.binary))
    sandbox.run()
    assert chosen.calls[0] == "buildx inspect"


def test_the_current_context_is_the_one_of_the_users_configuration(sandbox: Sandbox) -> None:
    (sandbox.directory / "config.json").write_text('{"currentContext": "far"}')
    sandbox.docker.answer("buildx inspect", run='echo "$DOCKER_CONTEXT" >context', exit_code=1)
    sandbox.profile(PATH=f"{sandbox.docker.directory}:/bin", DOCKER_CONFIG=str(sandbox.directory))
    assert sandbox.run() == EXIT_FAILED
    assert (sandbox.directory / "context").read_text() == "far\n"


DIED = "ERROR: failed to receive status: rpc error: code = Unavailable desc = transport is closing"


def builder_that_dies(sandbox: Sandbox, times: int, said: str = DIED) -> None:
    """The first builds leave half of a layout, and lose their builder, or what it keeps."""
    (sandbox.directory / "metadata").write_text(json.dumps(METADATA))
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.docker.answer(
        "buildx build",
        run=f"""
echo x >>deaths
if [ $(grep -c x deaths) -le {times} ]; then
  mkdir -p ../layout && echo half >../layout/half
  echo '{said}' >&2; exit 1
fi
[ ! -e ../layout/half ] || exit 3
while [ "$1" != --metadata-file ]; do shift; done; cat {sandbox.directory}/metadata >"$2"
""",
    )


def test_a_build_whose_builder_dies_is_run_again_and_says_so(sandbox: Sandbox) -> None:
    builder_that_dies(sandbox, 1)
    assert sandbox.run() == 0
    assert [call.split()[1] for call in sandbox.docker.calls] == [
        *("inspect", "version", "build"),
        *("inspect", "build"),
    ]
    assert (sandbox.session / PROGRESS_FILE).read_text() == (
        "b src/app:image is built again: far was lost (failed to receive status: rpc error: code ="
        " Unavailable desc = transport is closing).\n"
    )


@pytest.mark.parametrize(
    "said",
    [
        "error during connect: stderr=kex_exchange_identification: Connection closed",
        "failed to build: listing workers for Build: failed to list workers: Unavailable:"
        " connection error: desc = x",
    ],
    ids=["first connection", "another"],
)
def test_a_build_that_the_ssh_server_of_an_engine_turns_away_is_run_until_it_is_let_in(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(turned_away, "_PAUSE_SECONDS", (0, 0.01))
    (sandbox.directory / "metadata").write_text(json.dumps(METADATA))
    far = FAR.replace("Status", "Endpoint: ssh://me@far\nStatus")
    sandbox.docker.answer("buildx inspect", far)
    sandbox.docker.answer(
        "buildx build",
        run=f"""
echo x >>tries
if [ $(grep -c x tries) -le 3 ]; then
  echo 'ERROR: {said}' >&2; exit 1
fi
while [ "$1" != --metadata-file ]; do shift; done; cat {sandbox.directory}/metadata >"$2"
""",
    )
    assert sandbox.run() == 0
    assert [call.split()[1] for call in sandbox.docker.calls].count("build") == 4


def test_a_build_whose_snapshot_is_lost_is_run_again_without_the_cache_that_leads_there(
    sandbox: Sandbox,
) -> None:
    lost = f"snapshot {'a1' * 12} does not exist: not found"
    builder_that_dies(sandbox, 1, f"ERROR: failed to build: failed to solve: {lost}")
    assert sandbox.run() == 0
    builds = [call for call in sandbox.docker.calls if call.startswith("buildx build")]
    assert ["--no-cache" in call for call in builds] == [False, True]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v0.25.1", ["git.checksum", "git.fetchbycommit"]),
        # It would not compare what it reads.
        ("v0.21.0", ["git.fetchbycommit"]),
    ],
)
def test_a_branch_that_moved_is_read_by_its_commit(
    sandbox: Sandbox, version: str, expected: list[str]
) -> None:
    branch = PinnedSource("git://h/a.git#main", f"git://h/a.git#{'c' * 40}")
    sandbox.reads(branch)
    policies = sandbox.directory / "policies"
    (sandbox.directory / "metadata").write_text(json.dumps(METADATA))
    said = "ERROR: failed to build: failed to solve: expected checksum to match c, got d"
    sandbox.docker.answer("buildx inspect", f"{FAR}BuildKit version: {version}\n")
    sandbox.docker.answer(
        "buildx build",
        run=f"""
cat "${POLICY_VARIABLE}" >>{policies}
if grep -q git.checksum "${POLICY_VARIABLE}"; then echo '{said}' >&2; exit 1; fi
while [ "$1" != --metadata-file ]; do shift; done; cat {sandbox.directory}/metadata >"$2"
""",
    )
    assert sandbox.run() == 0
    found = re.findall(r'"key": "(git\.\w+)"', policies.read_text())
    assert found == expected
    told = sandbox.session / PROGRESS_FILE
    assert told.exists() == (len(expected) > 1)


def test_a_builder_that_dies_again_is_an_error(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    builder_that_dies(sandbox, 2)
    assert sandbox.run() == EXIT_FAILED
    error = capsys.readouterr().err
    assert error.startswith("The builder 'far' was lost while it built, and again when the build")
    assert "'docker buildx inspect --bootstrap far'" in error


def test_a_described_builder_is_created_and_named(sandbox: Sandbox) -> None:
    node = NodeDescription("unix:///far.sock")
    described = BuilderDescription("far", "remote", (node,), 20)
    sandbox.settings(builder="far", described_builder=described)
    sandbox.docker.answer("buildx inspect", FAR)
    sandbox.builds()
    assert sandbox.run() == 0
    inspected, _, built = sandbox.docker.calls
    assert inspected.split()[-1].startswith("pants-far-")
    assert f"--builder {inspected.split()[-1]} " in built


def test_a_described_builder_that_is_lost_is_called_as_it_is_described(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    builder_that_dies(sandbox, 2)
    node = NodeDescription("unix:///far.sock")
    described = BuilderDescription("far", "remote", (node,), 20)
    sandbox.settings(builder="far", described_builder=described)
    assert sandbox.run() == EXIT_FAILED
    told = (sandbox.session / PROGRESS_FILE).read_text()
    assert "is built again: far (unix:///far.sock) was lost (" in told
    assert capsys.readouterr().err.startswith("The builder 'far (unix:///far.sock)' was lost")
