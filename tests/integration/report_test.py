"""The report of a run has what was built, also where a build failed."""

from __future__ import annotations

import json

from pants_docker_buildkit.session.directory import TIMELINES_DIRECTORY
from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.gate import Gate
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

FILE = "--docker-buildkit-report-file"


def test_a_report_has_the_steps_of_what_was_built(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    gate = Gate()
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "good/BUILD": "docker_buildkit_image(name='image')",
            "good/Dockerfile": f"FROM {busybox}\nRUN sleep 1; echo {repository} > /good\n",
            "bad/BUILD": "docker_buildkit_image(name='image')",
            "bad/Dockerfile": f"FROM {busybox}\n{gate.step('exit 3', first='echo exit 3')}\n",
            "late/BUILD": "docker_buildkit_image(name='image')",
            "late/Dockerfile": f"FROM {busybox}\nRUN echo {repository}; sleep 100\n",
        },
    )
    started = checkout.start(f"{FILE}=out/report.json", "package", "bad:", "late:")

    def knows_of_both() -> bool:
        # Those with a dot are being written.
        timelines = machine.named_caches.glob(f"docker_buildkit/*/{TIMELINES_DIRECTORY}/[!.]*")
        known = "".join(each.read_text() for each in timelines)
        return "sleep 100" in known and "exit 3" in known

    wait_until(lambda: knows_of_both() or started.poll() is not None)
    gate.open()
    run = checkout.finish(started)
    assert run.exit_code == 1, run.output
    events = json.loads((checkout.directory / "out/report.json").read_text())["traceEvents"]
    failed = [each["name"] for each in events if each["args"].get("failed")]
    assert failed[0] == "bad:image"
    assert any("exit 3" in name for name in failed)
    # What else was built then is canceled, and would have no end to tell of.
    assert [each["name"] for each in events if each["args"].get("canceled")] == ["late:image"]
    assert any("sleep 100" in each["name"] for each in events)

    checkout.pants(f"{FILE}=report.md", "package", "good:", pantsd=True)
    report = (checkout.directory / "report.md").read_text()
    assert "**1 image built in" in report
    assert "| good:image | no build is remembered on this machine |" in report
    assert "RUN sleep 1" in report
    (row,) = (line for line in report.splitlines() if line.startswith("| good:image | no"))
    assert row.split("|")[-2].strip().endswith("B"), "the size of its layers"

    checkout.pants(f"{FILE}=report.html", "package", "good:", pantsd=True)
    assert "Nothing had to be built." in (checkout.directory / "report.html").read_text()

    run = checkout.pants(f"{FILE}=report.txt", "package", "good:", pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert (
        "The option `[docker-buildkit-report].file` must end in one of .html, .json" in run.output
    )
