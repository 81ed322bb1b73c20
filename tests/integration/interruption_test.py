"""A run that is killed leaves nothing behind that a later run could stumble over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.processes import command_line, descendants, has_ended, wait_until
from tests.integration.workbench.registry import OwnRegistry, Registry

TARGET = "app:image"
SLOW_SECONDS = 6


@pytest.fixture
def checkout(machine: Machine, registry: Registry, repository: str, busybox: str) -> Checkout:
    """An image whose build takes a while, and that needs a secret."""
    return machine.checkout("checkout", slow_image(registry, repository, busybox))


def slow_image(registry: Registry, repository: str, busybox: str) -> dict[str, str]:
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', secrets={'token': './token'})",
        "app/token": "the secret",
        "app/Dockerfile": f"FROM {busybox}\n"
        f"RUN --mount=type=secret,id=token echo {repository} && sleep {SLOW_SECONDS}\n",
    }


def start_build(checkout: Checkout) -> subprocess.Popen[bytes]:
    """A run of Pants that is in the middle of the slow step, as far as one can tell."""
    calls = len(checkout.machine.docker_calls())
    process = checkout.start("package", "::")
    wait_until(lambda: any(c[:2] == ("buildx", "build") for c in new_calls(checkout, calls)))
    wait_until(lambda: build_process(process.pid) is not None)
    return process


def new_calls(checkout: Checkout, before: int) -> list[tuple[str, ...]]:
    return checkout.machine.docker_calls()[before:]


def build_process(ancestor: int) -> int | None:
    """The `buildx build` that runs for Pants."""
    found = [
        pid
        for pid in descendants(ancestor)
        if "--metadata-file" in command_line(pid) and "buildx" in " ".join(command_line(pid))
    ]
    return found[-1] if found else None


def session_directories(machine: Machine) -> list[Path]:
    return list((machine.named_caches / "docker_buildkit").glob("*-[0-9]*"))


def assert_recovers(checkout: Checkout) -> None:
    """The next run builds, the one after it has nothing to do, and no session is left."""
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    after = checkout.pants("package", "::")
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()
    assert session_directories(checkout.machine) == []


def test_a_killed_pants_leaves_nothing_to_stumble_over(checkout: Checkout) -> None:
    process = start_build(checkout)
    build = build_process(process.pid)
    assert build is not None
    process.kill()
    process.communicate()
    assert_recovers(checkout)
    wait_until(lambda: has_ended(build))


def test_an_interrupted_pants_takes_its_build_along(checkout: Checkout) -> None:
    process = start_build(checkout)
    build = build_process(process.pid)
    assert build is not None
    os.kill(process.pid, signal.SIGINT)
    run = checkout.finish(process)
    assert run.exit_code != 0
    wait_until(lambda: has_ended(build))
    assert session_directories(checkout.machine) == []
    assert_recovers(checkout)


def test_a_killed_build_is_a_clear_failure(checkout: Checkout) -> None:
    process = start_build(checkout)
    build = build_process(process.pid)
    assert build is not None
    os.kill(build, signal.SIGKILL)
    run = checkout.finish(process)
    assert run.exit_code != 0
    assert f"Building {TARGET} failed" in run.output
    assert "killed" in run.output.lower()
    assert "<unknown>" not in run.output
    assert_recovers(checkout)


def test_a_session_directory_that_vanishes_is_a_clear_failure_at_worst(
    checkout: Checkout, tmp_path: Path
) -> None:
    process = start_build(checkout)
    for number, directory in enumerate(session_directories(checkout.machine)):
        # At once: what writes there meanwhile must not keep any of it.
        directory.rename(tmp_path / f"gone-{number}")
        shutil.rmtree(tmp_path / f"gone-{number}", ignore_errors=True)
    run = checkout.finish(process)
    assert "Traceback" not in run.output
    if run.exit_code == 0:
        assert run.kinds == {TARGET: "built"}
        assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}
    else:
        assert f"Building {TARGET} failed" in run.output
        assert_recovers(checkout)


def test_a_registry_that_stops_during_a_build_is_named(
    machine: Machine, own_registry: OwnRegistry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", slow_image(own_registry, repository, busybox))
    process = start_build(checkout)
    own_registry.stop()
    run = checkout.finish(process)
    assert run.exit_code != 0
    assert f"Building {TARGET} failed" in run.output
    assert own_registry.address in run.output
    own_registry.start()
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}

    own_registry.stop()
    unsure = checkout.pants("package", "::", may_fail=True)
    assert unsure.exit_code != 0
    assert TARGET in unsure.output
    assert own_registry.address in unsure.output
    assert unsure.builds == []
    own_registry.start()
    assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}
