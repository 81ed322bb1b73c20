"""Builders that the options describe, and builders that die, on the engine's real BuildKit.

The rules run in an engine of Pants inside of the test. Drivers that need an image of BuildKit or a
cluster are tested at the commands that are run: `solver/described_builder_test.py`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.buildx.builder_table import parse_builder_table
from pants_docker_buildkit.buildx.buildkitd_config import render_buildkitd_config
from pants_docker_buildkit.buildx.create_command import render_create_arguments
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.testing.processes import wait_until
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.session import Session
from tests.integration.workbench.builder import BuildKitPort, BuildKitSocket
from tests.integration.workbench.gate import Gate
from tests.integration.workbench.recorded_docker import RecordedDocker, is_build
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import docker_host, docker_program

ADDRESS = "app:image"
NOWHERE = "unix:///nonexistent/docker.sock"


class User:
    """Packages `app:image` in a Pants with caches of its own."""

    def __init__(self, directory: Path, registry: Registry, repository: str) -> None:
        self.named_caches = directory / "named_caches"
        self.docker = RecordedDocker(directory / "bin", docker_program())
        self.environment = {
            "HOME": str(directory),
            "PATH": f"{self.docker.directory}:/usr/bin:/bin",
            "DOCKER_HOST": NOWHERE,
        }
        self._options = (
            f"--named-caches-dir={self.named_caches}",
            f"--docker-buildkit-registries={{'dev': {{'address': '{registry.address}',"
            " 'default': True}}",
            f"--docker-buildkit-default-repository={repository}",
            "--docker-buildkit-progress=plain",
        )
        self.runner = ImageRunner(create_rule_runner(named_caches=self.named_caches))
        self.session = Path()

    def writes(self, dockerfile: str, fields: str = "") -> None:
        build = f"docker_buildkit_image(name='image', inline_cache=False, {fields})"
        self.runner.write({"app/BUILD": build, "app/Dockerfile": dockerfile})

    def builds_with(self, settings: Mapping[str, Any], *options: str) -> None:
        """From now on, in a new session."""
        builders = f"--docker-buildkit-builders={{'ci': {dict(settings)!r}}}"
        chosen = options or ("--docker-buildkit-builder=ci",)
        self.runner.runner.set_options([*self._options, builders, *chosen], env=self.environment)
        session = self.runner.runner.request(Session, ())
        self.session = session.directory

    def package(self, address: str = ADDRESS) -> tuple[str, list[tuple[str, ...]]]:
        """The line of the image, and what Docker was asked."""
        before = len(self.docker.calls())
        (artifact,) = self.runner.package(address).artifacts
        (line,) = artifact.extra_log_lines
        return line, self.docker.calls()[before:]

    def failure(self) -> str:
        with pytest.raises(ExecutionError) as raised:
            self.package()
        return "\n".join(str(each) for each in raised.value.wrapped_exceptions)

    @property
    def told(self) -> str:
        path = self.session / PROGRESS_FILE
        return path.read_text() if path.exists() else ""


@pytest.fixture
def user(tmp_path: Path, registry: Registry, repository: str) -> User:
    return User(tmp_path, registry, repository)


@pytest.fixture
def certificates(tmp_path: Path) -> TestCertificates:
    return TestCertificates.write(tmp_path)


@pytest.fixture
def port(certificates: TestCertificates) -> Iterator[BuildKitPort]:
    port = BuildKitPort(certificates)
    yield port
    port.close()


@pytest.fixture
def buildkit(tmp_path: Path) -> Iterator[BuildKitSocket]:
    buildkit = BuildKitSocket(tmp_path / "buildkit.sock")
    yield buildkit
    buildkit.close()


def remote(port: BuildKitPort, certificates: TestCertificates) -> dict[str, str]:
    return {
        "driver": "remote",
        "endpoint": port.url,
        "cacert": certificates.ca_file,
        "cert": certificates.certificate_file,
        "key": certificates.key_file,
    }


def test_builders_of_several_kinds_are_used_and_none_is_in_a_key(
    user: User,
    buildkit: BuildKitSocket,
    port: BuildKitPort,
    certificates: TestCertificates,
    repository: str,
    busybox: str,
) -> None:
    dockerfile = f"FROM {busybox}\nRUN echo {repository} > /app\n"
    far, near = {"driver": "remote", "endpoint": buildkit.url}, remote(port, certificates)
    user.writes(dockerfile)
    user.builds_with(far)
    line, calls = user.package()
    assert line.startswith("  built (no build is remembered on this machine): ")
    assert [call[1] for call in calls].count("create") == 1
    (build,) = filter(is_build, calls)
    assert build[build.index("--builder") + 1].startswith("pants-ci-")

    # Another builder builds nothing that is built.
    user.builds_with(near)
    line, calls = user.package()
    assert line.startswith("  unchanged: ")
    assert calls == []

    # What has changed it builds, and again in another session without being created again.
    user.writes(f"{dockerfile}LABEL changed=1\n")
    line, calls = user.package()
    assert line.startswith("  built (")
    assert [call[1] for call in calls].count("create") == 1
    user.writes(f"{dockerfile}LABEL changed=2\n")
    user.builds_with(near)
    line, calls = user.package()
    assert [call[1] for call in calls][:3] == ["inspect", "version", "build"]
    assert "Booting" not in user.told

    # A Docker Engine at an address, which the target names.
    user.writes(f"{dockerfile}LABEL changed=3\n", "builder='ci'")
    engine = {"driver": "docker", "endpoint": docker_host()}
    user.builds_with(engine, "--docker-buildkit-builder=nobody-made-this")
    line, calls = user.package()
    assert line.startswith("  built (")

    # The host's own configuration knows of none of them.
    assert not list(Path(user.environment["HOME"]).glob(".docker/**/instances/*"))


@pytest.mark.parametrize("fields", ["", "registries=[]"], ids=["pushed", "a layout"])
@pytest.mark.parametrize("is_described", [True, False])
def test_the_engine_of_a_context_builds_that_is_not_the_current_one(
    user: User, repository: str, fields: str, is_described: bool
) -> None:
    host = f"host={docker_host()}"
    subprocess.run(
        [str(docker_program()), "context", "create", "far", "--docker", host],
        env={"HOME": user.environment["HOME"], "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    del user.environment["DOCKER_HOST"]
    user.writes(f"FROM scratch\nLABEL name={repository}\n", fields)
    engine = {"driver": "docker", "endpoint": "far"}
    user.builds_with(engine, f"--docker-buildkit-builder={'ci' if is_described else 'far'}")
    line, _ = user.package()
    assert line.startswith("  built (no build is remembered on this machine)")


def test_the_node_of_a_platform_builds_it(
    user: User,
    buildkit: BuildKitSocket,
    port: BuildKitPort,
    certificates: TestCertificates,
    repository: str,
    busybox: str,
) -> None:
    # One BuildKit cannot be both nodes of one build, which is one job in each.
    user.writes(
        f"FROM {busybox}\nRUN echo {repository} $(uname -m) > /app\n", "platforms=['linux/arm64']"
    )
    over_tls = {key: value for key, value in remote(port, certificates).items() if key != "driver"}
    nodes = [
        {"endpoint": buildkit.url, "platforms": ["linux/amd64"]},
        {**over_tls, "platforms": ["linux/arm64"]},
    ]
    user.builds_with({"driver": "remote", "nodes": nodes})
    line, calls = user.package()
    assert [call[1] for call in calls] == [
        *("inspect", "create", "create", "inspect"),
        *("version", "build"),
    ]
    assert line.startswith("  built (no build is remembered on this machine): ")
    # Below `refs` buildx notes which node ran a build.
    (node,) = user.named_caches.glob("docker_buildkit/buildx/refs/*/*")
    assert node.name == f"{node.parent.name}1"


def test_a_client_certificate_that_is_not_accepted_is_an_error_at_once(
    user: User, port: BuildKitPort, certificates: TestCertificates
) -> None:
    user.writes("FROM scratch\nLABEL a=b\n")
    user.builds_with(
        {
            **remote(port, certificates),
            "cert": certificates.stranger_certificate_file,
            "key": certificates.stranger_key_file,
            "boot_timeout": 600,
        }
    )
    assert user.failure() == (
        "Building app:image failed:\n\nThe builder of '[docker-buildkit.builders.ci]' must accept a"
        ' connection, but: Unavailable: connection error: desc = "error'
        ' reading server preface: remote error: tls: unknown certificate authority". Check'
        " `endpoint`, `cacert`, `cert` and `key`, and whether a BuildKit runs there; where it needs"
        " longer, raise `boot_timeout`."
    )


def test_a_container_whose_image_is_not_there_is_an_error(user: User, registry: Registry) -> None:
    user.environment["DOCKER_HOST"] = docker_host()
    user.writes("FROM scratch\nLABEL a=b\n")
    image = f"{registry.address}/nobody/pushed/this:1"
    user.builds_with({"driver": "docker-container", "driver_opts": {"image": image}})
    text = user.failure()
    assert text.startswith(
        "Building app:image failed:\n\nThe builder of '[docker-buildkit.builders.ci]' must boot,"
        " but: "
    )
    assert image in text
    assert text.endswith(
        " Check that its engine runs and can pull the image of BuildKit (`driver_opts.image`);"
        " where it needs longer, raise `boot_timeout`."
    )
    assert user.told == "b Booting builder ci (docker-container)…\n"


_ATTEMPTS = 2
"""So often is a build tried whose builder is lost."""


class Cutter:
    """Cuts a builder off when the step at a gate has begun, once or twice, and opens that then."""

    def __init__(self, user: User, buildkit: BuildKitSocket, gate: Gate, times: int) -> None:
        self._user, self._buildkit, self._gate, self._times = user, buildkit, gate, times
        self._thread = threading.Thread(target=self._cut)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _cut(self) -> None:
        for number in range(1, self._times + 1):
            wait_until(partial(self._has_begun, number))
            self._buildkit.cut()
        if self._times < _ATTEMPTS:
            # A step that begins while BuildKit still ends the first one has a gate of its own.
            wait_until(partial(self._has_begun, _ATTEMPTS))
        self._gate.open()

    def _has_begun(self, times: int) -> bool:
        return self._user.told.count("] RUN ") >= times


def test_a_builder_that_dies_once_builds_after_all(
    user: User, buildkit: BuildKitSocket, repository: str, busybox: str
) -> None:
    gate = Gate()
    user.writes(f"FROM {busybox}\n{gate.step(f'echo {repository} > /app')}\n")
    user.builds_with({"driver": "remote", "endpoint": buildkit.url})
    with Cutter(user, buildkit, gate, times=1):
        line, calls = user.package()
    assert line.startswith("  built (no build is remembered on this machine): ")
    assert sum(is_build(call) for call in calls) == 2
    assert f"app:image is built again: ci ({buildkit.url}) was lost" in user.told
    assert "was lost (failed to build: failed to " in user.told
    assert "Unavailable" in user.told


def test_a_builder_that_dies_twice_is_named_with_where_to_look(
    user: User, buildkit: BuildKitSocket, repository: str, busybox: str
) -> None:
    gate = Gate()
    user.writes(f"FROM {busybox}\n{gate.step(f'echo {repository} > /app')}\n")
    user.builds_with({"driver": "remote", "endpoint": buildkit.url})
    with Cutter(user, buildkit, gate, times=2):
        text = user.failure()
    assert text.startswith(f"Building app:image failed:\n\nThe builder 'ci ({buildkit.url})' was")
    assert "was lost while it built, and again when the build was repeated: failed to" in text
    config = user.named_caches / "docker_buildkit" / "buildx"
    assert f"Look at the log of the BuildKit at {buildkit.url} and 'BUILDX_CONFIG={config}" in text


def test_buildx_reads_the_configuration_that_is_generated(
    tmp_path: Path, certificates: TestCertificates
) -> None:
    described = parse_builder_table(
        "ci",
        {
            "driver": "docker-container",
            "endpoint": docker_host(),
            "platforms": ["linux/arm64"],
            "driver_opts": {"image": "mirror.example/buildkit", "env.NAMES": "a,b"},
            "entitlements": ["security.insecure"],
            "gc": {"max_used_space": "20%", "min_free_space": "1GB"},
            "registries": {
                "docker.io": {"mirrors": ["mirror.example"]},
                "mirror.example": {
                    "ca": [certificates.ca_file],
                    "keypair": [
                        {"cert": certificates.certificate_file, "key": certificates.key_file}
                    ],
                },
            },
        },
        str,
    )
    assert described.buildkitd is not None
    config = tmp_path / "buildkitd.toml"
    config.write_text(render_buildkitd_config(described.buildkitd))
    for arguments in render_create_arguments(described, "pants-ci", str(config)):
        subprocess.run(
            [str(docker_program()), *arguments],
            env={"BUILDX_CONFIG": str(tmp_path / "buildx"), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
    (node,) = json.loads((tmp_path / "buildx/instances/pants-ci").read_text())["Nodes"]
    assert node["DriverOpts"] == {"image": "mirror.example/buildkit", "env.NAMES": "a,b"}
    assert [each["architecture"] for each in node["Platforms"]] == ["arm64"]
    # buildx adds none of its own, which would be the only one that the daemon obeys.
    assert node["Flags"] == ["--allow-insecure-entitlement=security.insecure"]
    files = {name: base64.b64decode(content).decode() for name, content in node["Files"].items()}
    certificate = Path(certificates.ca_file).read_text()
    assert files["certs/mirror.example/ca.pem"] == certificate
    # Newer versions of buildx write other quotes.
    assert '"mirror.example"' in files["buildkitd.toml"].replace("'", '"')
    assert "20%" in files["buildkitd.toml"]
