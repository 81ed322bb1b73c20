"""Builds start the buildx that `docker` would start, and `docker` where that may do more."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import buildx_program, docker_cli_program

_METADATA = "docker-cli-plugin-metadata"


class Plugin:
    """A buildx in a directory of plugins that writes down how it is called."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.program = directory / "docker-buildx"
        self._log = directory / "calls"
        self._log.touch()
        self.program.write_text(
            "#!/bin/sh\n"
            f'echo "${{MARK-}}:$*" >>{shlex.quote(str(self._log))}\n'
            f'exec {shlex.quote(str(buildx_program()))} "$@"\n'
        )
        self.program.chmod(0o755)

    def calls(self) -> list[str]:
        """The calls since this was asked the last time."""
        calls = self._log.read_text().splitlines()
        self._log.write_text("")
        return calls


def builds(calls: list[str]) -> list[str]:
    return [call for call in calls if ":buildx build " in call]


class Docker:
    """A machine with the Docker CLI itself as `docker`, with plugins as users have them."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        directory = machine.directory / "cli"
        directory.mkdir()
        self.program = directory / "docker"
        self.program.symlink_to(docker_cli_program())
        machine.environment["PATH"] = f"{directory}:/usr/bin:/bin"
        self.config = machine.home / ".docker"
        self.plugin = Plugin(self.config / "cli-plugins")

    def add_directory(self) -> Plugin:
        """Another plugin, in a directory that the configuration names."""
        plugin = Plugin(self.machine.directory / "more")
        directories = {"cliPluginsExtraDirs": [str(plugin.program.parent)]}
        (self.config / "config.json").write_text(json.dumps(directories))
        return plugin

    def wrap(self) -> None:
        """Let a script be `docker` that does something before the CLI."""
        self.program.unlink()
        self.program.write_text(f'#!/bin/sh\nMARK=wrapped exec {docker_cli_program()} "$@"\n')
        self.program.chmod(0o755)

    def say_version(self) -> None:
        subprocess.run(
            [self.program, "buildx", "version"],
            env=self.machine.environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )


@pytest.fixture
def docker(machine: Machine) -> Docker:
    return Docker(machine)


def new_checkout(docker: Docker, registry: Registry, repository: str) -> Checkout:
    return docker.machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "file(name='file', source='file')\n"
            "docker_buildkit_image(name='image', dependencies=[':file'])\n",
            "app/Dockerfile": "FROM scratch\nCOPY app/file /\n",
            "app/file": "1",
        },
    )


def build_again(checkout: Checkout, content: str) -> None:
    checkout.write({"app/file": content})
    assert "built" in checkout.pants("package", "::").output


def test_the_cli_is_asked_once_in_a_session_and_not_for_each_build(
    docker: Docker, registry: Registry, repository: str
) -> None:
    checkout = new_checkout(docker, registry, repository)
    checkout.write(
        {
            "more/BUILD": "docker_buildkit_image(name='image', dependencies=['app:file'])\n",
            "more/Dockerfile": "FROM scratch\nCOPY app/file /\n",
        }
    )
    build_again(checkout, "2")
    calls = docker.plugin.calls()
    # As the CLI starts it, with the word `buildx` first.
    assert len(builds(calls)) == 2
    assert [call for call in calls if _METADATA in call] == [f":{_METADATA}"]

    build_again(checkout, "3")
    calls = docker.plugin.calls()
    assert len(builds(calls)) == 2
    assert not [call for call in calls if _METADATA in call]

    with docker.plugin.program.open("a") as program:
        program.write("# another version\n")
    build_again(checkout, "4")
    assert [call for call in docker.plugin.calls() if _METADATA in call] == [f":{_METADATA}"]

    # What a wrapper has built, too, would have the same key.
    docker.wrap()
    assert "unchanged" in checkout.pants("package", "::").output
    assert docker.plugin.calls() == []


def test_it_is_the_one_that_the_cli_starts_in_each_session(
    docker: Docker, registry: Registry, repository: str
) -> None:
    checkout = new_checkout(docker, registry, repository)
    other = docker.add_directory()
    docker.say_version()
    chosen, shadowed = (docker.plugin, other) if docker.plugin.calls() else (other, docker.plugin)
    chosen.calls()
    build_again(checkout, "2")
    assert len(builds(chosen.calls())) == 1
    assert builds(shadowed.calls()) == []

    chosen.program.unlink()
    build_again(checkout, "3")
    assert len(builds(shadowed.calls())) == 1

    shadowed.program.unlink()
    checkout.write({"app/file": "4"})
    failed = checkout.pants("package", "::", may_fail=True)
    assert f"Building needs buildx, but '{docker.program} buildx' is not a command" in failed.output


def test_a_script_that_is_docker_is_run_for_each_build(
    docker: Docker, registry: Registry, repository: str
) -> None:
    docker.wrap()
    build_again(new_checkout(docker, registry, repository), "2")
    calls = docker.plugin.calls()
    assert builds(calls)
    assert {call.partition(":")[0] for call in calls} == {"wrapped"}


def test_a_failed_build_is_repeated_with_docker(
    docker: Docker, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = new_checkout(docker, registry, repository)
    checkout.write({"app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} && false\n"})
    failed = checkout.pants(
        "--keep-sandboxes=on_failure",
        f"--local-execution-root-dir={docker.machine.directory}",
        "package",
        "::",
        may_fail=True,
    )
    assert f"echo {repository}" in failed.output
    (script,) = docker.machine.directory.glob("pants-sandbox-*/build/again.sh")
    assert f"exec {docker.program} buildx build " in script.read_text()
