"""Which real programs and services do these tests run against?

`./pants test` names them in the environment. A test whose part is missing fails: none is skipped.
"""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path

import pants_docker_buildkit
from tests.integration.workbench import start_pants


def required(name: str, meaning: str) -> str:
    """The value of a variable that `./pants test` sets."""
    value = os.environ.get(name)
    assert value, f"set {name} to {meaning}; './pants test' does"
    return value


def pants_program() -> Path:
    return Path(required("BUILDKIT_TESTS_PANTS", "the `pants` program to test with"))


def pants_command() -> tuple[str, ...]:
    """What starts it in little time, with the Python that it runs on."""
    python = pants_program().with_name("python")
    return str(python), str(Path(start_pants.__file__).absolute())


@lru_cache
def pants_version() -> str:
    """The version of that program."""
    answer = subprocess.run(
        [pants_command()[0], "-I", "-c", "from pants.version import VERSION; print(VERSION)"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def pants_configuration() -> Path:
    """What Pants has to know of this machine in order to make pex files."""
    return Path(required("BUILDKIT_TESTS_PANTS_CONFIG", "the configuration `./pants` wrote"))


def docker_program() -> Path:
    return Path(required("BUILDKIT_TESTS_DOCKER", "a Docker CLI with buildx"))


def docker_cli_program() -> Path:
    """The Docker CLI itself, which `docker_program` wraps where the engine is one of `./pants`."""
    docker = docker_program()
    wrapped = docker.parent.parent / "root" / "usr" / "bin" / "docker"
    return wrapped if wrapped.exists() else docker


def buildx_program() -> Path:
    """The buildx of `docker_program`, as a program of its own."""
    beside = docker_program().with_name("docker-buildx")
    if beside.exists():
        return beside
    plugins = "{{range .ClientInfo.Plugins}}{{.Path}}\n{{end}}"
    answer = subprocess.run(
        [str(docker_program()), "info", "--format", plugins],
        capture_output=True,
        text=True,
        check=False,
    )
    return next(Path(path) for path in answer.stdout.split() if path.endswith("/docker-buildx"))


def docker_host() -> str:
    return required("BUILDKIT_TESTS_DOCKER_HOST", "the address of a Docker Engine for tests")


def registry_address() -> str:
    return required("BUILDKIT_TESTS_REGISTRY", "the host and port of a registry for tests")


def registry_program() -> Path:
    return Path(required("BUILDKIT_TESTS_REGISTRY_PROGRAM", "the `docker-registry` program"))


def buildgrid_program() -> Path:
    return Path(required("BUILDKIT_TESTS_BGD", "the `bgd` program of BuildGrid"))


def skopeo_program() -> Path:
    return Path(required("BUILDKIT_TESTS_SKOPEO", "the `skopeo` program"))


def oras_program() -> Path:
    return Path(required("BUILDKIT_TESTS_ORAS", "the `oras` program"))


def cosign_program() -> Path:
    return Path(required("BUILDKIT_TESTS_COSIGN", "the `cosign` program"))


def syft_program() -> Path:
    return Path(required("BUILDKIT_TESTS_SYFT", "the `syft` program"))


def helm_program() -> Path:
    return Path(required("BUILDKIT_TESTS_HELM", "the `helm` program"))


def kubectl_program() -> Path:
    return Path(required("BUILDKIT_TESTS_KUBECTL", "the `kubectl` program"))


def busybox_program(architecture: str) -> Path:
    """A static busybox for `amd64` or `arm64`."""
    name = f"BUILDKIT_TESTS_BUSYBOX_{architecture.upper()}"
    return Path(required(name, f"a static busybox for {architecture}"))


def plugin_wheel() -> Path:
    """What `pants-plugins:wheel` gives, in the sandbox of a test that depends on it."""
    wheels = list(Path().glob("pants_docker_buildkit-*-py3-none-any.whl"))
    assert len(wheels) == 1, "needs 'runtime_package_dependencies' on pants-plugins:wheel"
    return wheels[0].absolute()


def plugin_sources() -> Path:
    """The directory to put on `pythonpath` for the plugin that these tests are about."""
    return Path(pants_docker_buildkit.__file__).absolute().parent.parent
