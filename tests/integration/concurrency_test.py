"""Two runs at the same time give the same images, and neither is in the way of the other."""

from __future__ import annotations

import pytest

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

TARGETS = {"base:image", "one:image", "two:image"}


@pytest.mark.parametrize("same_checkout", [True, False], ids=["same checkout", "two checkouts"])
def test_two_runs_at_the_same_time_agree(
    machine: Machine, registry: Registry, repository: str, busybox: str, same_checkout: bool
) -> None:
    child = "ARG BASE=base:image\nFROM $BASE\nRUN echo {0} > /{0}\n"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": "docker_buildkit_image(name='image')",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base && sleep 2\n",
        "one/BUILD": "docker_buildkit_image(name='image')",
        "one/Dockerfile": child.format("one"),
        "two/BUILD": "docker_buildkit_image(name='image', registries=[])",
        "two/Dockerfile": child.format("two"),
    }
    first = machine.checkout("first", files)
    second = first if same_checkout else machine.checkout("second", files)
    started = [(each, each.start("package", "::")) for each in (first, second)]
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
