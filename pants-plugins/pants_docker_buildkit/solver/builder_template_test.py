from __future__ import annotations

import json
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.builder_template import add_remote_builder, template_path
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import UnknownBuilderError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

# As buildx 0.29 writes it, where $7 is the address.
CREATE = """\
mkdir -p "$BUILDX_CONFIG/instances"
printf '{"Name":"%s","Driver":"remote","Nodes":[{"Name":"a0","Endpoint":"%s"}]}' "$4" "$7" \\
    >"$BUILDX_CONFIG/instances/$4"
"""

KEPT = (
    '{"Name":"bridge","Driver":"remote","Nodes":[{"Name":"a0","Endpoint":"unix:///of/each/build"}]}'
)


class Buildx:
    def __init__(self, directory: Path, create: str = CREATE) -> None:
        self.directory = directory
        self.docker = FakeDocker(directory / "bin").answer("buildx create", run=create)
        self.template = template_path(directory, "v0.29.1")
        self._builds = 0

    def add(self, address: str, name: str = "bridge") -> object:
        """The address that the builder of another build has."""
        self._builds += 1
        configuration = self.directory / str(self._builds)
        configuration.mkdir()
        docker: DockerCli = self.docker.cli().with_buildx_config(configuration)
        add_remote_builder(docker, name, address, self.template)
        return json.loads((configuration / "instances" / name).read_text())["Nodes"][0]["Endpoint"]


def test_buildx_is_asked_once(tmp_path: Path) -> None:
    buildx = Buildx(tmp_path)
    for address in ("unix:///a", 'unix:///b "ü"'):
        assert buildx.add(address) == address
    assert len(buildx.docker.calls) == 1
    assert template_path(tmp_path, "v0.30.0") != buildx.template


@pytest.mark.parametrize(
    "damage",
    [
        *("", "[]", "{}", '{"Name": "bridge"}', '{"Name": 1}', "[" * 100_000 + "]" * 100_000),
        pytest.param(KEPT.replace('"Driver":"remote"', '"Driver":5'), id="a number"),
        pytest.param(KEPT.replace("[", "[[").replace("]", "]]"), id="another shape"),
        pytest.param(KEPT.replace("Endpoint", "Address"), id="another key"),
    ],
)
def test_buildx_is_asked_again_where_nothing_of_use_is_kept(tmp_path: Path, damage: str) -> None:
    buildx = Buildx(tmp_path)
    buildx.add("unix:///a")
    buildx.template.write_text(damage)
    assert buildx.add("unix:///b") == "unix:///b"
    assert len(buildx.docker.calls) == 2


def test_a_builder_of_another_name_is_none_of_it(tmp_path: Path) -> None:
    buildx = Buildx(tmp_path)
    buildx.add("unix:///a")
    assert buildx.add("unix:///a", "other") == "unix:///a"
    assert len(buildx.docker.calls) == 2


def test_a_buildx_that_keeps_builders_elsewhere_is_asked_each_time(tmp_path: Path) -> None:
    buildx = Buildx(tmp_path, "true")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            buildx.add("unix:///a")
    assert len(buildx.docker.calls) == 2


def test_a_builder_that_cannot_be_created_is_told(tmp_path: Path) -> None:
    buildx = Buildx(tmp_path, "echo no >&2; exit 1")
    with pytest.raises(UnknownBuilderError, match="no"):
        buildx.add("unix:///a")
