"""What a user reads when a build needs an engine or a registry, and they do not do their part.

The rules run in an engine of Pants inside of the test, the builds on the real Docker Engine.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testutil import ImageRunner
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import docker_host, docker_program

NO_BUILDX = "docker: 'buildx' is not a docker command.\nSee 'docker --help'\n"
OLDER_STORE = """\
Name:   default
Driver: docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.23.2
Labels:
 org.mobyproject.buildkit.worker.moby.host-gateway-ip: 172.17.0.1
"""


@pytest.fixture(scope="module")
def engine() -> ImageRunner:
    return ImageRunner()


class User:
    """Builds `app:image`, which nobody built before, on the engine of these tests."""

    def __init__(self, runner: ImageRunner, home: Path, registry: str, repository: str) -> None:
        self.runner = runner
        self.environment = {
            "HOME": str(home),
            "PATH": f"{docker_program().parent}:/usr/bin:/bin",
            "DOCKER_HOST": docker_host(),
        }
        self.registry = registry
        self.repository = repository

    def reads(
        self, dockerfile: str, *options: str, fields: str = "", encoding: str = "utf-8"
    ) -> str:
        """The error."""
        registries = {"dev": {"address": self.registry, "default": True}}
        self.runner.set_options(
            f"registries={registries!r}",
            f"default-repository={self.repository}",
            *options,
            env=self.environment,
        )
        new = f"LABEL new={uuid.uuid4().hex}\n"
        self.runner.write(
            {
                "app/BUILD": f"docker_buildkit_image(name='image', inline_cache=False, {fields})",
                "app/Dockerfile": f"{dockerfile}{new}".encode(encoding),
            }
        )
        return self.runner.failure("app:image", of_build=True)


@pytest.fixture
def user(engine: ImageRunner, tmp_path: Path, registry: Registry, repository: str) -> User:
    return User(engine, tmp_path, registry.address, repository)


@pytest.fixture
def fake_registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


def test_a_failing_step_shows_its_line_and_all_of_its_output(user: User, busybox: str) -> None:
    text = user.reads(f"FROM {busybox}\nRUN seq 1 500; echo cannot find libfoo >&2; exit 3\n")
    assert re.match(r"Building app:image failed:\n\n------\n > \[./2\] RUN seq 1 500;", text)
    assert "cannot find libfoo" in text
    assert "\n   2 | >>> RUN seq 1 500;" in text
    assert "did not complete successfully: exit code: 3\n" in text
    printed = re.findall(r"^\d+\.\d{3} (\d+)$", text, re.MULTILINE)
    assert printed == [str(number) for number in range(1, 501)]


def test_an_instruction_that_buildkit_does_not_know_shows_its_line(user: User) -> None:
    text = user.reads("FROM scratch\nFETCH a b\n")
    assert text.startswith("Building app:image failed:\n\n")
    assert "   2 | >>> FETCH a b" in text
    assert "unknown instruction: FETCH" in text


def test_a_dockerfile_that_buildkit_cannot_quote_is_no_lost_builder(user: User) -> None:
    # Windows PowerShell writes such files. BuildKit's error has bytes that gRPC does not take.
    text = user.reads("FROM scratch\n", encoding="utf-16")
    assert text.startswith("Building app:image failed:\n\nERROR: failed to build: ")
    assert "\nThe Dockerfile is no UTF-8 text, and BuildKit, which found an error in it," in text


def test_a_misspelt_from_is_blamed_on_its_own_line(user: User) -> None:
    text = user.reads("FORM scratch\nCOPY a /\n")
    assert "   1 | >>> FORM scratch" in text
    assert "unknown instruction: FORM (did you mean FROM?)" in text


def test_a_builder_that_does_not_exist_is_named(user: User) -> None:
    text = user.reads("FROM scratch\n", "builder=nobody-made-this")
    assert text == (
        "Building app:image failed:\n\nThe builder 'nobody-made-this' cannot be used: no builder"
        " \"nobody-made-this\" found. List the builders there are with 'docker buildx ls', create"
        " one with 'docker buildx create' or describe one in '[docker-buildkit.builders]', or"
        " change what names it: the 'builder' field, '[docker-buildkit].builder' or BUILDX_BUILDER."
    )


def test_an_engine_that_does_not_answer_is_named(user: User, tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/nowhere.sock"
    user.environment["DOCKER_HOST"] = nowhere
    text = user.reads("FROM scratch\n")
    assert text.startswith(
        "Building app:image failed:\n\nBuilding needs BuildKit, but the Docker Engine at"
        f" {nowhere} does not answer: "
    )
    assert text.endswith(
        " Start it, point DOCKER_HOST or 'docker context use' at another one, or name a builder in"
        " '[docker-buildkit].builder'. An image that Pants has a record of needs no engine."
    )


def test_no_docker_says_where_it_was_looked_for(user: User, tmp_path: Path) -> None:
    user.environment["PATH"] = str(tmp_path)
    text = user.reads("FROM scratch\n")
    assert text == (
        "Building app:image failed:\n\nBuilding needs the Docker CLI with buildx, but no executable"
        f" 'docker' or 'docker-buildx' is on the path {str(tmp_path)!r}. Install Docker 23 or"
        " later, or set '[docker-buildkit].executable_search_paths'. An image that Pants has a"
        " record of needs no Docker."
    )


def test_a_docker_without_buildx_is_named(user: User, tmp_path: Path) -> None:
    docker = FakeDocker(tmp_path / "bin").answer("buildx", stderr=NO_BUILDX, exit_code=1)
    user.environment["PATH"] = f"{docker.directory}:/usr/bin:/bin"
    text = user.reads("FROM scratch\n")
    assert f"'{docker.binary} buildx' is not a command of this Docker CLI. Install the" in text


@pytest.mark.parametrize("output", ["registry", "oci", "docker"])
def test_an_engine_with_the_older_image_store_says_how_to_get_the_other(
    user: User, tmp_path: Path, output: str
) -> None:
    docker = FakeDocker(tmp_path / "bin").answer("buildx inspect", OLDER_STORE)
    user.environment["PATH"] = f"{docker.directory}:/usr/bin:/bin"
    text = user.reads("FROM scratch\n", fields=f"output={output!r}")
    assert f"The output '{output}' needs a Docker Engine with the containerd image store" in text
    assert "'features': {'containerd-snapshotter': true}" in text


@pytest.mark.parametrize(
    ("status", "code", "findings"),
    [
        pytest.param(401, "UNAUTHORIZED", ("Nothing was built", "docker login"), id="401"),
        pytest.param(403, "DENIED", ("Nothing was built", "(HTTP 403 DENIED)"), id="403"),
        pytest.param(503, "UNAVAILABLE", ("failed to push", "503 Service Unavailable"), id="503"),
    ],
)
def test_a_push_that_is_refused_says_which_registry_and_how(
    user: User,
    fake_registry: FakeRegistry,
    busybox: str,
    status: int,
    code: str,
    findings: tuple[str, str],
) -> None:
    fake_registry.plan(faults.oci_error(status, code), "/blobs/uploads/", method="POST", times=None)
    user.registry = fake_registry.address
    text = user.reads(f"FROM {busybox}\n")
    assert text.startswith("Building app:image failed:\n\n")
    assert fake_registry.address in text
    for finding in findings:
        assert finding in text


def test_a_secret_that_is_not_there_is_named(user: User, busybox: str) -> None:
    text = user.reads(
        f"FROM {busybox}\nRUN --mount=type=secret,id=token cat /run/secrets/token\n",
        fields="secrets={'token': './nowhere'}",
    )
    assert "app/nowhere" in text
