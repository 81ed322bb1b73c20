"""A run that is killed leaves nothing behind that a later run could stumble over."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
from pathlib import Path

import pytest

from pants_docker_buildkit.testing.processes import (
    command_line,
    descendants,
    has_ended,
    kill_with_descendants,
    parent,
    wait_until,
)
from tests.integration.workbench.gate import Gate
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.ready_pants import StartedPants
from tests.integration.workbench.registry import OwnRegistry, Registry

pytestmark = pytest.mark.usefixtures("nothing_temporary_is_left")

TARGET = "app:image"


@pytest.fixture
def gate() -> Gate:
    """What the build waits for in the middle of it."""
    return Gate()


@pytest.fixture
def checkout(
    machine: Machine, registry: Registry, repository: str, busybox: str, gate: Gate
) -> Checkout:
    """An image whose build waits, and that needs a secret."""
    return machine.checkout("checkout", waiting_image(registry, repository, busybox, gate))


def waiting_image(registry: Registry, repository: str, busybox: str, gate: Gate) -> dict[str, str]:
    read = "[ $(cat /run/secrets/token) = token ]"
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "files(name='files', sources=['note'])\n"
        "docker_buildkit_image(name='image', dependencies=[':files'],"
        " secrets={'token': './token'})",
        "app/note": "a note",
        "app/token": "token",
        "app/Dockerfile": f"FROM {busybox}\nCOPY app/note /\n"
        + gate.step(f"echo {repository} && {read}", "--mount=type=secret,id=token"),
    }


def start_build(checkout: Checkout, *, pantsd: bool = False) -> StartedPants:
    """A run of Pants that is in the middle of its build, which does not end by itself."""
    calls = len(checkout.machine.docker_calls())
    process = checkout.start("package", "::", pantsd=pantsd)
    wait_until(lambda: any(c[:2] == ("buildx", "build") for c in new_calls(checkout, calls)))
    wait_until(lambda: build_process(checkout.machine) is not None)
    return process


def new_calls(checkout: Checkout, before: int) -> list[tuple[str, ...]]:
    return checkout.machine.docker_calls()[before:]


def build_process(machine: Machine) -> int | None:
    """The `buildx build` that runs for Pants, on whose machine its metadata will be."""
    found = [
        pid
        for pid in descendants(1)
        if "--metadata-file" in command_line(pid)
        and f"{machine.directory}/" in (command := " ".join(command_line(pid)))
        and "buildx" in command
    ]
    return found[-1] if found else None


def session_directories(machine: Machine) -> list[Path]:
    found = (machine.named_caches / "docker_buildkit").glob("*-[0-9]*")
    # The file of a builder has a name like that, too, for some versions of buildx.
    return [path for path in found if path.is_dir()]


def assert_recovers(checkout: Checkout, gate: Gate) -> None:
    """The next run builds, the one after it has nothing to do, and no session is left."""
    gate.open()
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    after = checkout.pants("package", "::")
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()
    assert session_directories(checkout.machine) == []


@pytest.mark.parametrize("all_of_it", [False, True], ids=["Pants", "all of it"])
def test_a_killed_pants_leaves_nothing_to_stumble_over(
    checkout: Checkout, gate: Gate, all_of_it: bool
) -> None:
    process = start_build(checkout)
    if all_of_it:
        started = kill_with_descendants(process.pid)
    else:
        started = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert_recovers(checkout, gate)
    wait_until(lambda: all(map(has_ended, started)))


def test_an_interrupted_pants_takes_its_build_along(checkout: Checkout, gate: Gate) -> None:
    process = start_build(checkout)
    build = build_process(checkout.machine)
    assert build is not None
    os.kill(process.pid, signal.SIGINT)
    run = checkout.finish(process)
    assert run.exit_code != 0
    wait_until(lambda: has_ended(build))
    assert session_directories(checkout.machine) == []
    assert_recovers(checkout, gate)


@pytest.mark.parametrize("is_buildx", [True, False], ids=["buildx", "what started it"])
def test_a_killed_build_is_a_clear_failure(checkout: Checkout, gate: Gate, is_buildx: bool) -> None:
    process = start_build(checkout)
    build = build_process(checkout.machine)
    assert build is not None
    os.kill(build if is_buildx else parent(build), signal.SIGKILL)
    run = checkout.finish(process)
    wait_until(lambda: has_ended(build))
    assert run.exit_code != 0
    assert f"Building {TARGET} failed" in run.output
    assert "killed" in run.output.lower()
    assert "<unknown>" not in run.output
    assert_recovers(checkout, gate)


@pytest.mark.parametrize("pantsd", [False, True], ids=["without a daemon", "with a daemon"])
def test_a_file_edited_during_a_build_is_in_the_image_of_this_run_or_the_next(
    checkout: Checkout, registry: Registry, gate: Gate, pantsd: bool
) -> None:
    process = start_build(checkout, pantsd=pantsd)
    build = build_process(checkout.machine)
    assert build is not None
    checkout.write({"app/note": "another note"})
    gate.open()
    run = checkout.finish(process)
    assert run.exit_code == 0, run.output
    wait_until(lambda: has_ended(build))
    # Pants builds again where it hears of the change in time.
    following = checkout.pants("package", "::", pantsd=pantsd)
    assert following.reasons in ({}, {TARGET: "app/note changed"})
    (reference,) = following.outcomes["app/image.image.json"].references
    layers = [
        gzip.decompress(registry.blob(reference.partition("@")[0], each["digest"]))
        for each in registry.manifest(reference)["layers"]
    ]
    assert any(b"another note" in layer for layer in layers)
    after = checkout.pants("package", "::", pantsd=pantsd)
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()
    assert session_directories(checkout.machine) == []


def test_a_session_directory_that_vanishes_is_a_clear_failure_at_worst(
    checkout: Checkout, gate: Gate, tmp_path: Path
) -> None:
    process = start_build(checkout)
    for number, directory in enumerate(session_directories(checkout.machine)):
        # At once: what writes there meanwhile must not keep any of it.
        directory.rename(tmp_path / f"gone-{number}")
        shutil.rmtree(tmp_path / f"gone-{number}", ignore_errors=True)
    gate.open()
    run = checkout.finish(process)
    assert "Traceback" not in run.output
    if run.exit_code == 0:
        assert run.kinds == {TARGET: "built"}
        assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}
    else:
        assert f"Building {TARGET} failed" in run.output
        assert_recovers(checkout, gate)


def test_a_registry_that_stops_during_a_build_is_named(
    machine: Machine, own_registry: OwnRegistry, repository: str, busybox: str, gate: Gate
) -> None:
    checkout = machine.checkout("checkout", waiting_image(own_registry, repository, busybox, gate))
    process = start_build(checkout)
    own_registry.stop()
    gate.open()
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
