"""What one who sits at a terminal has of a build, and of a container that `pants run` starts."""

from __future__ import annotations

import re
import signal

import pytest

from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.engine import is_running
from tests.integration.workbench.gate import Gate
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.terminal import CONTROL_C, Terminal

TRAP = """\
trap 'echo interrupted; exit 42' INT
trap 'echo terminated; exit 43' TERM
echo ready
while true; do sleep 0.1; done
"""


@pytest.fixture
def checkout(machine: Machine, registry: Registry, repository: str, busybox: str) -> Checkout:
    """A repository with one image, whose containers have the name of the repository as a label."""
    return machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image',"
            f" extra_run_args=['--label=test={repository}'])",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /name\n",
        },
    )


def shell(script: str) -> tuple[str, ...]:
    return ("run", "app:image", "--", "sh", "-c", script)


def test_a_container_has_the_terminal_the_input_and_the_signals(
    checkout: Checkout, repository: str
) -> None:
    size = shell("test -t 0 && test -t 1 && stty size")
    terminal = Terminal(checkout, *size, rows=33, columns=101)
    assert terminal.finish() == 0, terminal.screen
    assert "33 101" in terminal.screen

    terminal = Terminal(checkout, *shell(TRAP), rows=24, columns=80)
    terminal.wait_for("ready")
    terminal.type(CONTROL_C)
    assert terminal.finish() == 42, terminal.screen
    assert "interrupted" in terminal.screen

    process = checkout.start(*shell("test -t 0 || cat"), pantsd=True, has_input=True)
    output = process.communicate(b"typed before\n")
    assert process.returncode == 0
    assert output.endswith(b"typed before\n")

    for number in (signal.SIGINT, signal.SIGTERM):
        process = checkout.start(*shell(TRAP), pantsd=True)
        process.read_until(b"ready")
        process.send_signal(number)
        process.communicate()
        # Pants ends with a code of its own then.
        assert process.returncode != 0
        wait_for_no_container(repository)


def test_a_build_is_watched_above_the_bars_of_pants(checkout: Checkout, busybox: str) -> None:
    gate = Gate()
    step = gate.step("true", first="echo half")
    checkout.write({"app/Dockerfile": f"FROM {busybox}\n{step}\n"})
    # Pants has bars of its own, which every other run of the tests goes without.
    package = ("package", "app:image")
    terminal = Terminal(checkout, *package, rows=24, columns=120, draws_bars=True)
    terminal.wait_for(" s: half")
    gate.open()
    assert terminal.finish() == 0, terminal.screen
    for line in (r"RUN .*: running", r"\d+ s: half", r"RUN .*: done in"):
        assert re.search(rf"app:image \[(stage-0 )?2/2\] {line}", terminal.screen), terminal.screen


def wait_for_no_container(repository: str) -> None:
    """Until no container of a test runs any more. They are removed when they end."""
    wait_until(lambda: not is_running(f"test={repository}"))
