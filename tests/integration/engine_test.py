"""Which Docker Engine builds, and with which program? The real engine, reached in other ways.

The rules run in an engine of Pants inside of the test, the builds on the real Docker Engine.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pants_docker_buildkit.built_image import BuiltBuildKitImage
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.solver.engine_search import DEFAULT_SOCKET, is_socket
from pants_docker_buildkit.testutil import ImageRunner
from tests.integration.workbench.door import Door, engine_door, engine_door_with_tls
from tests.integration.workbench.engine import image_config, remove_image
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import buildx_program, docker_host, docker_program

WITH_DOCKER = pytest.param("docker", id="docker")
WITH_BUILDX_ONLY = pytest.param("docker-buildx", id="stand-alone buildx")


@pytest.fixture(scope="module")
def engine() -> ImageRunner:
    return ImageRunner()


class User:
    """Somebody with a home, a `PATH` and one registry, who builds what nobody built before."""

    def __init__(self, runner: ImageRunner, home: Path, registry: Registry, name: str) -> None:
        self.runner = runner
        self.home = home
        self.registry = registry
        self.repository = name
        self.environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def has(self, *programs: str) -> None:
        """Put these of `docker` and `docker-buildx` on the `PATH`, which has no other of them."""
        bin_directory = self.home / "bin"
        bin_directory.mkdir()
        for name in programs:
            program = docker_program() if name == "docker" else buildx_program()
            bin_directory.joinpath(name).symlink_to(program)
        for name in ("ssh", "sh", "id", "dirname", "readlink"):
            # What Docker's programs, and the private engine's, call themselves.
            found = shutil.which(name, path="/usr/bin:/bin")
            if found is not None:
                bin_directory.joinpath(name).symlink_to(found)
        self.environment["PATH"] = str(bin_directory)

    def prepare(self, *options: str, fields: str = "") -> None:
        registries = {"dev": {"address": self.registry.address, "default": True}}
        self.runner.set_options(
            f"registries={registries!r}",
            f"default-repository={self.repository}",
            *options,
            env=self.environment,
        )
        self.runner.write(
            {
                "app/BUILD": f"docker_buildkit_image(name='image', inline_cache=False, {fields})",
                "app/Dockerfile": f"FROM scratch\nLABEL new={uuid.uuid4().hex}\n",
            }
        )

    def builds(self, *options: str) -> None:
        """Build an image, which is in the registry then."""
        self.prepare(*options)
        (artifact,) = self.runner.package("app:image").artifacts
        assert isinstance(artifact, BuiltBuildKitImage)
        assert self.registry.has(artifact.references[0])

    def reads(self, *options: str, fields: str = "") -> str:
        """The error of a build."""
        self.prepare(*options, fields=fields)
        return self.runner.failure("app:image", of_build=True)


@pytest.fixture
def user(engine: ImageRunner, tmp_path: Path, registry: Registry, repository: str) -> User:
    return User(engine, tmp_path, registry, repository)


@contextmanager
def door_at(path: Path) -> Iterator[Door]:
    path.parent.mkdir(parents=True, exist_ok=True)
    door = engine_door(path)
    yield door
    door.close()


@pytest.mark.parametrize("program", [WITH_DOCKER, WITH_BUILDX_ONLY])
def test_a_rootless_engine_that_nobody_chose_is_found(user: User, program: str) -> None:
    user.has(program)
    user.environment["XDG_RUNTIME_DIR"] = str(user.home)
    with door_at(user.home / "docker.sock") as door:
        if is_socket(DEFAULT_SOCKET):
            # This machine's engine is at Docker's own place, so that it is the right one.
            user.environment["DOCKER_HOST"] = f"unix://{user.home}/docker.sock"
        user.builds()
        assert door.visits > 0


@pytest.mark.parametrize("program", [WITH_DOCKER, WITH_BUILDX_ONLY])
@pytest.mark.parametrize("is_current", [True, False], ids=["current context", "DOCKER_CONTEXT"])
def test_the_engine_of_a_context_builds(user: User, program: str, is_current: bool) -> None:
    user.has(program)
    with door_at(user.home / "door.sock") as door:
        create_context(user, "elsewhere", f"unix://{user.home}/door.sock")
        if is_current:
            config = user.home / ".docker" / "config.json"
            config.write_text(json.dumps({"currentContext": "elsewhere"}))
        else:
            user.environment["DOCKER_CONTEXT"] = "elsewhere"
        user.builds()
        assert door.visits > 0


def create_context(user: User, name: str, host: str) -> None:
    subprocess.run(
        [str(docker_program()), "context", "create", name, "--docker", f"host={host}"],
        env={"HOME": str(user.home), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )


@contextmanager
def engine_behind_tls(user: User) -> Iterator[Door]:
    """The engine of `DOCKER_HOST`, for the certificate of this user only."""
    certificates = TestCertificates.write(user.home)
    for source, name in (("localhost.pem", "cert.pem"), ("localhost.key", "key.pem")):
        shutil.copy(user.home / source, user.home / name)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca_file)
    tls.load_cert_chain(certificates.certificate_file, certificates.key_file)
    tls.verify_mode = ssl.CERT_REQUIRED
    door = engine_door_with_tls(tls)
    user.environment.update(
        DOCKER_HOST=f"tcp://localhost:{door.port}",
        DOCKER_TLS_VERIFY="1",
        DOCKER_CERT_PATH=str(user.home),
    )
    yield door
    door.close()


@pytest.mark.parametrize("program", [WITH_DOCKER, WITH_BUILDX_ONLY])
def test_an_engine_behind_tls_gets_the_users_certificate(user: User, program: str) -> None:
    user.has(program)
    with engine_behind_tls(user) as door:
        user.builds()
        assert door.visits > 0


def test_an_image_in_an_engine_behind_tls_is_looked_for_and_tagged_there(user: User) -> None:
    user.has("docker")
    with engine_behind_tls(user):
        user.prepare(fields="output='docker', registries=[], image_tags=['1']")
        (artifact,) = user.runner.package("app:image").artifacts
    assert isinstance(artifact, BuiltBuildKitImage)
    config = image_config(f"{user.repository}:1")
    assert config == image_config(artifact.references[0])
    remove_image(f"{user.repository}:1")


def test_the_docker_that_was_chosen_builds(user: User) -> None:
    user.has()
    user.environment["DOCKER_HOST"] = docker_host()
    user.builds(f"docker={buildx_program()}")


def test_a_docker_that_was_chosen_and_is_not_there_is_an_error(user: User) -> None:
    assert user.reads("docker=/nowhere/docker").startswith(
        "Building app:image failed:\n\nThe option '[docker-buildkit].docker' must name an"
        " executable 'docker' or 'docker-buildx', but '/nowhere/docker' is not one. Correct it,"
    )


def test_an_image_for_the_engine_needs_the_docker_cli(user: User) -> None:
    user.has("docker-buildx")
    user.environment["DOCKER_HOST"] = docker_host()
    text = user.reads(fields="output='docker'")
    assert "The output 'docker' needs the Docker CLI, but no executable 'docker' is on" in text
