from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.solver import buildx_plugin
from pants_docker_buildkit.solver.buildx_plugin import find_plugin, with_plugin
from pants_docker_buildkit.solver.docker_cli import BuildxPlugin, DockerCli
from pants_docker_buildkit.solver.remembered import remember
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

PROGRAM = "/usr/bin/docker"
PROBE = {"Name": "pantsprobe", "Path": "/tmp/docker-pantsprobe", "Version": PROGRAM}
BUILDX = {"Name": "buildx", "Path": "/plugins/docker-buildx", "Version": "v0.29.1"}
COMPOSE = {"Name": "compose", "Path": "/plugins/docker-compose", "Version": "v2"}


def test_it_is_the_buildx_among_the_plugins_of_a_cli_that_starts_them_itself() -> None:
    listed = json.dumps([BUILDX, COMPOSE, PROBE])
    assert find_plugin(listed, PROGRAM) == BuildxPlugin("/plugins/docker-buildx", "v0.29.1")


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param([BUILDX, {**PROBE, "Version": "/opt/real/docker"}], id="a wrapper"),
        pytest.param([BUILDX, {**PROBE, "Version": ""}], id="no /proc"),
        pytest.param([BUILDX, {**PROBE, "Version": f"{PROGRAM} (deleted)"}], id="upgraded"),
        pytest.param([BUILDX], id="another configuration"),
        pytest.param([PROBE], id="no buildx"),
        pytest.param([{**BUILDX, "Err": "metadata is invalid"}, PROBE], id="not usable"),
        pytest.param([{**BUILDX, "Path": "plugins/docker-buildx"}, PROBE], id="relative"),
        pytest.param([{**BUILDX, "Path": None}, PROBE], id="no path"),
        pytest.param(None, id="no plugins"),
        pytest.param({"buildx": "v0.29.1"}, id="another document"),
    ],
)
def test_what_is_not_sure_is_none(listed: Any) -> None:
    assert find_plugin(json.dumps(listed), PROGRAM) is None


@pytest.mark.parametrize("said", ["", "Template parsing error: no field ClientInfo"])
def test_a_docker_that_does_not_list_plugins_has_none(said: str) -> None:
    assert find_plugin(said, PROGRAM) is None


def test_a_plugin_has_the_real_path_of_its_directory_and_its_own_name(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "docker-buildx").symlink_to("/opt/buildx-v0.29.1")
    (tmp_path / "linked").symlink_to(real)
    listed = json.dumps([{**BUILDX, "Path": f"{tmp_path}/linked/docker-buildx"}, PROBE])
    found = find_plugin(listed, PROGRAM)
    assert found is not None
    assert found.path == os.path.realpath(real) + "/docker-buildx"


def known_cli(session: Path, path: str) -> DockerCli:
    """A CLI that is no script, of which the session knows which buildx it starts."""
    answer = json.dumps({"path": path, "version": "v0.29.1"})
    remember(session, "plugin", sys.executable, lambda: answer)
    return with_plugin(DockerCli(sys.executable, {"PATH": "/bin"}), session)


def test_buildx_is_started_as_the_cli_starts_a_plugin_and_docker_as_it_is(tmp_path: Path) -> None:
    docker = known_cli(tmp_path, "/bin/sh")
    assert docker.arguments(("buildx", "build", ".")) == ["/bin/sh", "buildx", "build", "."]
    assert docker.arguments(("version",)) == [sys.executable, "version"]
    assert docker.typed(("buildx", "build", ".")) == [sys.executable, "buildx", "build", "."]
    variable = docker.environment["DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"]
    assert variable == sys.executable


def test_a_plugin_that_went_away_is_left_to_docker_to_say(tmp_path: Path) -> None:
    docker = known_cli(tmp_path, str(tmp_path / "docker-buildx"))
    assert docker.arguments(("buildx", "ls")) == [sys.executable, "buildx", "ls"]


def test_a_script_and_a_buildx_are_not_even_asked(tmp_path: Path) -> None:
    script = FakeDocker(tmp_path)
    assert with_plugin(script.cli(), tmp_path) == script.cli()
    assert script.calls == []
    buildx = DockerCli(sys.executable, {}, is_standalone_buildx=True)
    assert with_plugin(buildx, tmp_path) is buildx


class Machine:
    """A `docker` that is a binary, a buildx that it starts, and a user's configuration.

    `asked` is how often the CLI was asked which buildx it starts.
    """

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.root = directory / "sessions"
        self.docker = directory / "docker"
        shutil.copy("/bin/true", self.docker)
        self.config = directory / "config"
        self.plugins = directory / "plugins"
        self.plugins.mkdir()
        (self.config / "cli-plugins").mkdir(parents=True)
        (self.config / "config.json").write_text(
            json.dumps({"cliPluginsExtraDirs": [str(self.plugins)]})
        )
        self.buildx = self.plugins / "docker-buildx"
        self.buildx.write_text("#!/bin/sh\n")
        self.buildx.chmod(0o755)
        self.answer: BuildxPlugin | None = BuildxPlugin(str(self.buildx), "v1.0.0")
        monkeypatch.setattr(buildx_plugin, "_ask", self._ask)

    def begin_session(self) -> DockerCli:
        session = self.root / str(time.monotonic_ns())
        session.mkdir(parents=True)
        environment = {"PATH": "/bin", "DOCKER_CONFIG": str(self.config)}
        return with_plugin(DockerCli(str(self.docker), environment), session)

    def _ask(self, *_: object) -> BuildxPlugin | None:
        self.asked += 1
        return self.answer


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_what_the_cli_starts_is_known_in_the_next_session(machine: Machine) -> None:
    found = [machine.begin_session().plugin for _ in range(3)]
    assert found == [BuildxPlugin(str(machine.buildx), "v1.0.0")] * 3
    assert machine.asked == 1


def replace(file: Path) -> None:
    """By a file of the same size and times."""
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.chmod(before.st_mode)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)


def add_a_plugin(machine: Machine) -> None:
    (machine.config / "cli-plugins" / "docker-buildx").write_text("#!/bin/sh\n")


def add_a_directory(machine: Machine) -> None:
    directories = [str(machine.plugins), "/opt/plugins"]
    (machine.config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": directories}))


def grow_old(machine: Machine) -> None:
    (kept,) = machine.root.glob("*.json")
    document = json.loads(kept.read_text())
    kept.write_text(json.dumps({**document, "time": time.time() - 3601}))


def be_damaged(machine: Machine) -> None:
    (kept,) = machine.root.glob("*.json")
    kept.write_text(kept.read_text()[:-5])


def be_of_another_shape(machine: Machine) -> None:
    (kept,) = machine.root.glob("*.json")
    document = json.loads(kept.read_text())
    document["plugin"]["version"] = 1
    kept.write_text(json.dumps(document))


def nest_deeply(machine: Machine) -> None:
    (kept,) = machine.root.glob("*.json")
    kept.write_text("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda machine: replace(machine.docker), id="another docker"),
        pytest.param(lambda machine: replace(machine.buildx), id="another buildx"),
        pytest.param(add_a_plugin, id="a plugin of the user"),
        pytest.param(add_a_directory, id="a directory with plugins"),
        pytest.param(grow_old, id="an hour"),
        pytest.param(be_damaged, id="damage"),
        pytest.param(be_of_another_shape, id="another shape"),
        pytest.param(nest_deeply, id="deep nesting"),
    ],
)
def test_the_cli_is_asked_again_after_a_change(
    machine: Machine, change: Callable[[Machine], None]
) -> None:
    machine.begin_session()
    change(machine)
    machine.answer = BuildxPlugin("/bin/sh", "v2.0.0")
    assert machine.begin_session().plugin == machine.answer


def test_that_no_plugin_is_sure_is_not_kept(machine: Machine) -> None:
    machine.answer = None
    for _ in range(2):
        assert machine.begin_session().plugin is None
    assert machine.asked == 2
