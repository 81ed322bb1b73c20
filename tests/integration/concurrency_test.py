"""Two runs at the same time give the same images, and neither is in the way of the other."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.builder import BuildKitSocket, create_remote_builder
from tests.integration.workbench.gate import Gate
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.ready_pants import Python
from tests.integration.workbench.recorded_docker import is_build
from tests.integration.workbench.registry import Registry

pytestmark = pytest.mark.usefixtures("nothing_temporary_is_left")

TARGETS = {"base:image", "one:image", "two:image"}


@pytest.mark.parametrize("same_checkout", [True, False], ids=["same checkout", "two checkouts"])
def test_two_runs_at_the_same_time_agree(
    machine: Machine, registry: Registry, repository: str, busybox: str, same_checkout: bool
) -> None:
    # Inline caches may differ between two builds, and with them the digests: docs/decisions/0011.
    child = "ARG BASE=base:image\nFROM $BASE\nRUN echo {0} > /{0}\n"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": "docker_buildkit_image(name='image', inline_cache=False)",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base && sleep 2\n",
        "one/BUILD": "docker_buildkit_image(name='image', inline_cache=False)",
        "one/Dockerfile": child.format("one"),
        "two/BUILD": "docker_buildkit_image(name='image', registries=[])",
        "two/Dockerfile": child.format("two"),
    }
    first = machine.checkout("first", files)
    second = first if same_checkout else machine.checkout("second", files)
    # As two Pants start, whose sets are in another order.
    started = [
        (each, each.start("package", "::", python=Python(number)))
        for number, each in enumerate((first, second))
    ]
    for checkout, process in started:
        run = checkout.finish(process)
        assert run.exit_code == 0, run.output
        assert set(run.kinds) == TARGETS
    assert len([call for call in machine.docker_calls() if call[:2] == ("buildx", "build")]) <= 6
    for target in TARGETS:
        assert first.record(target) == second.record(target)

    for checkout in (first, second):
        after = checkout.pants("package", "::")
        assert after.docker_calls == ()
        assert after.kinds == dict.fromkeys(TARGETS, "unchanged")


def test_two_users_at_once_have_each_their_own_builder_and_secrets(
    machine: Machine, registry: Registry, repository: str, busybox: str, tmp_path: Path
) -> None:
    buildkit = BuildKitSocket(tmp_path / "buildkit.sock")
    create_remote_builder(machine, "far-away", buildkit.url)
    far = {"BUILD_TOKEN": "two", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    users = {
        "one": {"BUILD_TOKEN": "one", "HOME": str(tmp_path / "another-home")},
        "two": {**far, "PANTS_DOCKER_BUILDKIT_BUILDER": "far-away"},
    }
    gate, started = Gate(), {}
    for name, environment in users.items():
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        files = {
            "pants.toml": repository_settings(registry.address, f"{repository}/{name}"),
            "app/BUILD": "docker_buildkit_image(name='image', secrets={'t': 'env=BUILD_TOKEN'})",
            "app/Dockerfile": f"FROM {busybox}\n"
            + gate.step(
                f"echo {repository}; [ $(sha256sum </run/secrets/t | cut -c1-64) = {sha256} ]",
                "--mount=type=secret,id=t",
            ),
        }
        checkout = machine.checkout(name, files)
        started[name] = (checkout, checkout.start("package", "::", env=environment))

    def sessions() -> list[Path]:
        return sorted((machine.named_caches / "docker_buildkit").glob("*-[0-9]*/socket"))

    def builds() -> int:
        return sum(is_build(call) for call in machine.docker_calls())

    # By then each session is as it stays: a socket is there a moment before its mode is.
    wait_until(lambda: builds() == 2)
    assert len(sessions()) == 2
    for socket in sessions():
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    gate.open()
    for name, (checkout, process) in started.items():
        run = checkout.finish(process)
        assert run.exit_code == 0, run.output
        assert run.kinds == {"app:image": "built"}, name
    assert sessions() == []
    builders = {
        each[each.index("--builder") + 1]
        for each in machine.docker_calls()
        if each[:2] == ("buildx", "build")
    }
    assert builders == {"far-away", "pants-docker-buildkit"}
    buildkit.close()
