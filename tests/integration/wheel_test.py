"""The wheel is all that a repository needs: Pants resolves it as the plugin of a foreign one."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, Files
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import pants_configuration, plugin_wheel

_NAME = "pants_docker_buildkit"
_SETTINGS = """\
[GLOBAL]
plugins = ["pants-docker-buildkit=={version}"]
backend_packages = ["pants_docker_buildkit", "pants.backend.python"]

[anonymous-telemetry]
enabled = false

[python]
interpreter_constraints = [">=3.9"]

[python-repos]
find_links = ["file://{wheels}"]

[docker-buildkit]
default_repository = "{repository}/{{directory}}"

[docker-buildkit.registries.tests]
address = "{registry}"
default = true
"""
_SOURCES: Files = {
    "app/BUILD": "python_sources(name='sources')\n"
    "pex_binary(name='binary', entry_point='main.py')\n"
    "docker_buildkit_image(name='image')\n",
    "app/main.py": "print('hello')\n",
    "base/BUILD": "docker_buildkit_image(name='image')\n",
}
_BUILT, _TARGETS = "A container image that BuildKit builds", ("app:image", "base:image")


@pytest.fixture
def wheel() -> Path:
    return plugin_wheel()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def test_the_wheel_says_what_it_is_and_wants_no_pants_of_its_own(wheel: Path) -> None:
    said = metadata(wheel)
    assert said["Name"] == "pants-docker-buildkit"
    assert said["Requires-Python"] == ">=3.9"
    assert said["License-Expression"] == "Apache-2.0"
    assert [each.partition(",")[0] for each in said.get_all("Project-URL", [])] == [
        "Documentation",
        "Changelog",
        "Source",
    ]
    assert str(said.get_payload()).lstrip().startswith("# pants-docker-buildkit\n")
    requirements = said.get_all("Requires-Dist", [])
    assert requirements
    assert not [each for each in requirements if "pants" in each or "==" in each or "<" in each]


def test_the_wheel_holds_the_backend_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert f"{_NAME}/register.py" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if re.search(r"_test\.py$|/testing/|/testutil", name)]


def test_a_foreign_repository_runs_on_the_wheel_and_upgrades_without_a_build(
    machines: Machines,
    registry: Registry,
    remote_cache: RemoteCache,
    repository: str,
    busybox: str,
    wheel: Path,
    tmp_path: Path,
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / wheel.name).write_bytes(wheel.read_bytes())
    version = metadata(wheel)["Version"]

    def settings(version: str) -> str:
        return _SETTINGS.format(
            version=version, wheels=wheels, repository=repository, registry=registry.address
        )

    files = {
        **_SOURCES,
        "pants.toml": settings(version),
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
        "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nCOPY app/binary.pex /\n",
    }
    # A Python with the plugin of the sources would not import that of the wheel.
    machine = machines.new("first", remote_cache=remote_cache, has_plugin=False)
    checkout = machine.checkout("monorepo", files)
    assert package(checkout) == dict.fromkeys(_TARGETS, "built")
    assert package(checkout) == dict.fromkeys(_TARGETS, "unchanged")

    other = machines.new("second", remote_cache=remote_cache, has_docker=False, has_plugin=False)
    assert package(other.checkout("monorepo", files)) == dict.fromkeys(_TARGETS, "restored")

    newer = write_newer_wheel(wheel, wheels)
    checkout.write({"pants.toml": settings(newer)})
    # The daemon looks for that beside its runs, and once in many times misses it (Pants 2.17).
    checkout.stop_pantsd()
    calls = machine.docker_calls()
    assert package(checkout) == dict.fromkeys(_TARGETS, "unchanged")
    assert machine.docker_calls() == calls
    shown = checkout.pants(pants_config(), "help", "docker_buildkit_image", pantsd=True)
    assert f"{newer}: {_BUILT}" in " ".join(shown.output.split())


def package(checkout: Checkout) -> dict[str, str]:
    return checkout.pants("package", "app:image", "base:image", pants_config(), pantsd=True).kinds


def pants_config() -> str:
    return f"--pants-config-files={pants_configuration()}"


def write_newer_wheel(wheel: Path, directory: Path) -> str:
    """A wheel with the next version, whose code is another, too: it says so in its help."""
    version = metadata(wheel)["Version"]
    newer = f"{version}.post1"
    old_info, new_info = (f"{_NAME}-{each}.dist-info" for each in (version, newer))
    path = directory / f"{_NAME}-{newer}-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name.endswith("/RECORD"):
                continue
            content, new_name = source.read(name), name.replace(old_info, new_info)
            if name.endswith("/METADATA"):
                content = content.replace(
                    f"Version: {version}".encode(), f"Version: {newer}".encode(), 1
                )
            if name.endswith(("/target_types.py", "/solver/main.py")):
                content = content.replace(_BUILT.encode(), f"{newer}: {_BUILT}".encode())
                content += b"\n# Newer.\n"
            target.writestr(new_name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            rows.append(f"{new_name},sha256={digest},{len(content)}\n")
        target.writestr(f"{new_info}/RECORD", f"{''.join(rows)}{new_info}/RECORD,,\n")
    return newer
