"""What integration tests share: a registry, a base image, a remote cache, and any machines."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.session.unix_socket import TEMPORARY_PREFIX
from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.base_image import push_busybox
from tests.integration.workbench.machine import Machine
from tests.integration.workbench.ready_pants import Python
from tests.integration.workbench.registry import OwnRegistry, Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import registry_address


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--repeat", type=int, default=1, help="How often each test runs, in one set-up."
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("--repeat")
    if times > 1:
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(times))


# Where it is killed.
_LEFT_BY_PANTS = ("pants-sandbox-", "immutable_inputs")


class Machines:
    """Makes the machines of one test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: list[Machine] = []

    def new(
        self,
        name: str,
        *,
        remote_cache: RemoteCache | None = None,
        has_docker: bool = True,
        has_plugin: bool = True,
    ) -> Machine:
        machine = Machine(
            self._directory / name,
            remote_cache=None if remote_cache is None else remote_cache.url,
            has_docker=has_docker,
            # What another machine asks caches for depends on nothing that one Python process has.
            python=Python(len(self._made), has_plugin),
        )
        self._made.append(machine)
        return machine

    def close(self) -> None:
        for machine in self._made:
            machine.close()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path)
    yield machines
    machines.close()


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.new("machine")


@pytest.fixture
def nothing_temporary_is_left(machine: Machine) -> Iterator[None]:
    """Nothing is left where everybody makes temporary files, however a build of `machine` ends."""
    own = machine.directory / "tmp"
    own.mkdir()
    machine.environment["TMPDIR"] = str(own)
    before = _temporary()
    yield
    assert [each.name for each in own.iterdir() if not each.name.startswith(_LEFT_BY_PANTS)] == []
    # Other tests may have made one, which is gone in a moment.
    wait_until(lambda: _temporary() <= before)


def _temporary() -> set[Path]:
    """What the plugin makes where processes that are not told of another directory make it."""
    places = {"/tmp", tempfile.gettempdir()}
    return {path for place in places for path in Path(place).glob(f"{TEMPORARY_PREFIX}*")}


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(registry_address())


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[OwnRegistry]:
    registry = OwnRegistry(tmp_path / "registry")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture
def repository() -> str:
    """A repository name that no other test uses."""
    return f"integration/{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def busybox(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A reference to an image with a shell, for linux/amd64 and linux/arm64.

    No other process of tests moves its tag, whose builder may make another digest.
    """
    name = f"integration/busybox-{uuid.uuid4().hex}"
    return push_busybox(tmp_path_factory.mktemp("busybox") / "context", registry, name)


@pytest.fixture
def remote_cache(tmp_path: Path) -> Iterator[RemoteCache]:
    cache = RemoteCache(tmp_path / "remote-cache")
    yield cache
    cache.close()
