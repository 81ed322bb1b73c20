"""At the commands that are run. `tests/integration/builders_test.py` runs some of them for real."""

from __future__ import annotations

import fcntl
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import BuildkitdConfig, RegistryConfig
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.solver.described_builder import choose_described_builder
from pants_docker_buildkit.solver.errors import BuilderNotBootedError, BuilderNotReadyError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testing.processes import SOON

CONTAINER = BuilderDescription("ci", "docker-container", (NodeDescription("default"),), 300)
REMOTE = BuilderDescription("far", "remote", (NodeDescription("tcp://far:1"),), 1)
PODS = BuilderDescription("pods", "kubernetes", (NodeDescription(), NodeDescription()), 300)
NODE = "Name: {name}\nEndpoint: x\nStatus: {status}\n"


class Host:
    """A session, and a `docker` whose builders are as a test says."""

    def __init__(self, directory: Path) -> None:
        self.session = directory / "docker_buildkit" / "host-1"
        self.session.mkdir(parents=True)
        self.docker = FakeDocker(directory / "bin")
        self.state = directory / "state"
        self.docker.answer("buildx create", run=f"echo x >>{self.state}.created")

    @property
    def config(self) -> Path:
        return self.session.parent / "buildx"

    @property
    def told(self) -> str:
        path = self.session / PROGRESS_FILE
        return path.read_text() if path.exists() else ""

    def nodes(self, *statuses: str, driver: str = "docker-container") -> str:
        """What buildx says of a builder."""
        found = [NODE.format(name=f"n{i}", status=each) for i, each in enumerate(statuses)]
        return f"Name: n\nDriver: {driver}\n\nNodes:\n" + "\n".join(found)

    def choose(self, description: BuilderDescription, **environment: str) -> str | None:
        cli = self.docker.cli(**environment)
        return choose_described_builder(cli, description, self.session).name

    def new_session(self) -> None:
        self.session = self.session.with_name("host-2")
        self.session.mkdir()

    def appears_once_created(self, before: str, after: str) -> None:
        """`docker buildx inspect` gives one answer until a node was created, then another."""
        (self.session.parent / "before").write_text(before)
        (self.session.parent / "after").write_text(after)
        run = (
            f"if [ -f {self.state}.created ]; then cat {self.session.parent}/after;"
            f" else cat {self.session.parent}/before; fi; exit 0"
        )
        self.docker.answer("buildx inspect", run=run)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_container_is_created_and_booted_once(host: Host) -> None:
    host.docker.answer("buildx inspect --bootstrap", host.nodes("running"))
    host.appears_once_created("", host.nodes("inactive"))
    instance = host.choose(CONTAINER)
    assert host.docker.calls == [
        f"buildx inspect {instance}",
        f"buildx create --name {instance} --node {instance}0 --driver docker-container default",
        f"buildx inspect {instance}",
        f"buildx inspect --bootstrap {instance}",
    ]
    assert host.told == "b Booting builder ci (docker-container)…\n"
    assert host.choose(CONTAINER) == instance
    assert len(host.docker.calls) == 4


@pytest.mark.parametrize("silent", ["buildx create", "buildx inspect", "buildx du"])
def test_an_endpoint_that_accepts_connections_and_says_nothing_is_given_up(
    host: Host, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr("pants_docker_buildkit.solver.remote_builder._SHORTEST_SECONDS", 0.3)
    host.docker = FakeDocker(host.docker.directory.with_name("silent"))
    host.docker.answer(silent, run="exec sleep 600").answer("buildx create")
    host.docker.answer("buildx inspect", host.nodes("inactive") if silent.endswith("du") else "")
    began = time.monotonic()
    with pytest.raises(BuilderNotReadyError, match="answer within 1 s, but: it did not"):
        host.choose(REMOTE)
    assert time.monotonic() - began < SOON


def test_another_session_uses_it_as_it_is(host: Host) -> None:
    host.docker.answer("buildx inspect", host.nodes("running"))
    instance = host.choose(CONTAINER)
    host.new_session()
    assert host.choose(CONTAINER) == instance
    assert host.docker.calls == [f"buildx inspect {instance}"] * 2
    assert host.told == ""


def test_it_lies_in_a_configuration_that_only_the_user_can_read(host: Host) -> None:
    host.docker.answer("buildx inspect", host.nodes("running"))
    cli = host.docker.cli(BUILDX_CONFIG="/host/buildx")
    chosen = choose_described_builder(cli, CONTAINER, host.session)
    assert chosen.docker.environment["BUILDX_CONFIG"] == str(host.config)
    assert stat.S_IMODE(host.config.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in host.config.iterdir()] == [0o600]


def test_a_creation_that_was_killed_is_completed(host: Host) -> None:
    host.docker.answer("buildx inspect --bootstrap", host.nodes("running", "running"))
    host.appears_once_created(host.nodes("inactive"), host.nodes("inactive", "inactive"))
    host.choose(PODS)
    created = [call for call in host.docker.calls if call.startswith("buildx create")]
    assert ["--append" in call for call in created] == [False, True]


def test_a_generated_configuration_is_given_to_its_daemons(host: Host) -> None:
    config = BuildkitdConfig(registries=(RegistryConfig("docker.io", mirrors=("mirror",)),))
    host.appears_once_created("", host.nodes("running"))
    instance = host.choose(replace(CONTAINER, buildkitd=config))
    path = host.config / f"{instance}.toml"
    assert path.read_text() == '[registry."docker.io"]\nmirrors = ["mirror"]\n'
    assert f"--buildkitd-config {path} default" in host.docker.calls[1]


def test_a_verbatim_configuration_is_given_as_it_is(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "buildkitd.toml"
    path.write_text("debug = true\n")
    host.appears_once_created("", host.nodes("running"))
    host.choose(replace(CONTAINER, buildkitd_config_file=str(path)))
    assert f"--buildkitd-config {path} default" in host.docker.calls[1]


@pytest.mark.parametrize(
    ("endpoint", "name", "environment"),
    [
        (None, "default", {"DOCKER_HOST": "unix:///here.sock", "DOCKER_CONTEXT": "here"}),
        ("ssh://build@far", "default", {"DOCKER_HOST": "ssh://build@far"}),
        ("colima", "colima", {"DOCKER_HOST": "", "DOCKER_CONTEXT": "colima"}),
    ],
)
def test_an_engine_is_used_where_it_is(
    host: Host, endpoint: str | None, name: str, environment: dict[str, str]
) -> None:
    host.docker.answer(f"buildx inspect {name}", host.nodes("running", driver="docker"))
    cli = host.docker.cli(DOCKER_HOST="unix:///here.sock", DOCKER_CONTEXT="here")
    description = BuilderDescription("ci", "docker", (NodeDescription(endpoint),), 20)
    chosen = choose_described_builder(cli, description, host.session)
    assert chosen.name == name
    assert environment.items() <= chosen.docker.environment.items()
    assert not host.config.exists()


def test_the_engine_of_the_current_context_has_its_name(host: Host) -> None:
    host.docker.answer("buildx inspect colima", host.nodes("running", driver="docker"))
    description = BuilderDescription("ci", "docker", (NodeDescription(),), 20)
    assert host.choose(description, DOCKER_CONTEXT="colima") == "colima"


def failure(host: Host, description: BuilderDescription) -> str:
    with pytest.raises(BuilderNotReadyError) as raised:
        host.choose(description)
    return str(raised.value)


def test_a_builder_that_cannot_be_created_is_named_with_what_buildx_says(host: Host) -> None:
    host.docker = FakeDocker(host.docker.directory)
    host.docker.answer("buildx inspect", exit_code=1)
    host.docker.answer("buildx create", stderr="ERROR: invalid driver option\n", exit_code=1)
    assert failure(host, CONTAINER) == (
        "The builder of '[docker-buildkit.builders.ci]' must be one that buildx can create, but:"
        " invalid driver option."
    )


def test_a_container_that_does_not_boot_is_named_with_what_to_check(host: Host) -> None:
    error = "#1 booting\n------\nERROR: pull access denied\n"
    host.docker.answer("buildx inspect --bootstrap", stderr=error, exit_code=1)
    host.docker.answer("buildx inspect", host.nodes("inactive"))
    with pytest.raises(BuilderNotBootedError) as raised:
        host.choose(CONTAINER)
    assert str(raised.value) == (
        "The builder of '[docker-buildkit.builders.ci]' must boot, but: pull access denied. Check"
        " that its engine runs and can pull the image of BuildKit (`driver_opts.image`); where it"
        " needs longer, raise `boot_timeout`."
    )


def test_why_a_builder_does_not_boot_need_not_be_text(host: Host) -> None:
    run = r"printf 'ERROR: no /home/jos\351' >&2; exit 1"
    host.docker.answer("buildx inspect --bootstrap", run=run)
    host.docker.answer("buildx inspect", host.nodes("inactive"))
    assert "must boot, but: no /home/jos\ufffd." in failure(host, CONTAINER)


def test_a_deployment_that_does_not_boot_in_time_is_given_up(host: Host) -> None:
    host.docker.answer("buildx inspect --bootstrap", run="exec sleep 600")
    host.docker.answer("buildx inspect", host.nodes("inactive", "inactive"))
    near, far = PODS.nodes[0], NodeDescription(driver_opts=(("namespace", "far"),))
    told = failure(host, replace(PODS, nodes=(near, far), boot_timeout=1))
    instance = host.docker.calls[0].rpartition(" ")[2]
    assert told == (
        "The builder of '[docker-buildkit.builders.pods]' must boot within 1 s, but: it did not."
        f" Look at 'kubectl describe all --selector=app={instance}0' and 'kubectl describe all"
        f" --namespace=far --selector=app={instance}1', and check KUBECONFIG and `driver_opts`;"
        " where it needs longer, raise `boot_timeout`."
    )


@pytest.mark.parametrize(
    "reason",
    [
        "expected 2 replicas to be ready, got 1",
        'error while calling Create for "n0": deployments.apps "n0" already exists',
    ],
)
def test_a_deployment_that_needs_longer_than_buildx_waits_is_waited_for(
    host: Host, reason: str
) -> None:
    """Or that another machine has just created."""
    (host.session / "running").write_text(host.nodes("running", "running"))
    again = f"if [ -e {host.state} ]; then cat {host.session}/running; exit 0; fi"
    fail = f"touch {host.state}; echo 'ERROR: {reason}' >&2; exit 1"
    host.docker.answer("buildx inspect --bootstrap", run=f"{again}; {fail}")
    host.docker.answer("buildx inspect", host.nodes("inactive", "inactive"))
    assert host.choose(PODS) is not None
    assert sum("--bootstrap" in call for call in host.docker.calls) == 2


def test_a_node_that_is_missing_beside_one_of_several_pods_is_created(host: Host) -> None:
    host.docker.answer("buildx inspect --bootstrap", host.nodes("running", "running"))
    pod = NODE.format(name="n0", status="running")
    pods = f"{host.nodes('running', driver='kubernetes')}\n{pod}"
    host.appears_once_created(pods, f"{pods}\n{NODE.format(name='n1', status='running')}")
    host.choose(PODS)
    assert sum(call.startswith("buildx create") for call in host.docker.calls) == 2


def test_a_remote_builder_that_comes_late_is_waited_for(host: Host) -> None:
    answers = host.session / "answers"
    answers.write_text(host.nodes("inactive", driver="remote"))
    later = host.session / "later"
    later.write_text(host.nodes("running", driver="remote"))
    host.docker.answer("buildx inspect", run=f"cat {answers}")
    host.docker.answer("buildx du", stderr="ERROR: refused", run=f"cp {later} {answers}")
    assert host.choose(replace(REMOTE, boot_timeout=300)) is not None
    assert host.told == "b Waiting for builder far (tcp://far:1)…\n"


REFUSED = 'Unavailable: connection error: desc = "connect: connection refused"'
UNKNOWN = 'Unavailable: connection error: desc = "remote error: tls: unknown certificate authority"'


@pytest.mark.parametrize(("reason", "within"), [(REFUSED, " within 1 s"), (UNKNOWN, "")])
def test_a_remote_builder_that_does_not_answer_is_named_with_the_reason(
    host: Host, reason: str, within: str
) -> None:
    host.docker.answer("buildx inspect", host.nodes("inactive", driver="remote"))
    host.docker.answer("buildx du", stderr=f"ERROR: {reason}\n", exit_code=1)
    assert failure(host, REMOTE) == (
        f"The builder of '[docker-buildkit.builders.far]' must accept a connection{within}, but:"
        f" {reason}. Check `endpoint`, `cacert`, `cert` and `key`, and whether a BuildKit runs"
        " there; where it needs longer, raise `boot_timeout`."
    )


def test_a_certificate_that_is_refused_is_tried_once(host: Host) -> None:
    host.docker.answer("buildx inspect", host.nodes("inactive", driver="remote"))
    host.docker.answer("buildx du", stderr=f"ERROR: {UNKNOWN}\n", exit_code=1)
    failure(host, replace(REMOTE, boot_timeout=300))
    assert sum(call.startswith("buildx du") for call in host.docker.calls) == 1


@pytest.mark.parametrize(
    "description",
    [
        replace(REMOTE, nodes=(NodeDescription("tcp://far:1", (), (("cert", "/no.pem"),)),)),
        replace(CONTAINER, name="far", buildkitd_config_file="/no.pem"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(host: Host, description: BuilderDescription) -> None:
    assert failure(host, description) == (
        "The builder of '[docker-buildkit.builders.far]' must name files that can be read, but:"
        " /no.pem cannot: No such file or directory."
    )
    assert host.docker.calls == []


def test_a_builder_that_another_session_boots_is_waited_for_but_not_for_ever(host: Host) -> None:
    host.docker.answer("buildx inspect", host.nodes("running"))
    instance = host.choose(CONTAINER)
    host.new_session()
    with open(host.config / f"{instance}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert failure(host, replace(CONTAINER, boot_timeout=1)).startswith(
            "The builder of '[docker-buildkit.builders.ci]' must be booted within 1 s, but: another"
            " session is still at it."
        )
        threading.Timer(0.3, lambda: fcntl.flock(lock, fcntl.LOCK_UN)).start()
        assert host.choose(CONTAINER) == instance


def test_of_two_sessions_that_start_together_one_creates_and_the_other_waits(host: Host) -> None:
    host.docker = FakeDocker(host.docker.directory)
    host.docker.answer("buildx create", run=f"sleep 0.3; echo x >>{host.state}.created")
    host.appears_once_created("", host.nodes("running"))
    other = host.session.with_name("host-2")
    other.mkdir()
    cli = host.docker.cli()
    found: list[str | None] = []
    threads = [
        threading.Thread(
            target=lambda session: found.append(
                choose_described_builder(cli, CONTAINER, session).name
            ),
            args=(session,),
        )
        for session in (host.session, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert sum(call.startswith("buildx create") for call in host.docker.calls) == 1
