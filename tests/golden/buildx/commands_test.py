"""Is buildx told what was written down? One file per case: a job and the words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.command import render_arguments
from pants_docker_buildkit.oci.json_values import decode
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import BuildSecret, SessionClient
from pants_docker_buildkit.solver.build import build_command
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.workplace import Workplace

CASES = sorted((Path(__file__).parent / "commands").glob("*.json"))
BUILD = "blake3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
DEFAULTS = BuildDefinition("", "", (), "").as_map()


def arguments(given: dict[str, Any]) -> tuple[str, ...]:
    """What follows `docker` for this job on an engine with the containerd store."""
    job = {
        "build_digest": BUILD,
        "definition": {**DEFAULTS, **given["definition"]},
        "repositories": given["repositories"],
    }
    settings = {"target": "src/app:image", **given["settings"]}
    builder = Builder("default", "docker", "default", True, has_containerd_store=True)
    nowhere = Path("/nowhere")
    workplace = Workplace(
        DockerCli("docker", {}),
        builder,
        given["builder_name"],
        nowhere,
        nowhere,
        SessionClient(nowhere),
        secrets=tuple(BuildSecret(*each) for each in given.get("secrets", ())),
        reach=decode(Reach, {"registries": given.get("registries", ())}),
        proxies=tuple((name, "http://proxy.example") for name in given.get("proxies", ())),
    )
    return render_arguments(
        build_command(
            _parsed(job),
            decode(BuildSettings, settings),
            workplace,
            Path("metadata.json"),
        )
    )


def _parsed(job: dict[str, Any]) -> BuildJob:
    return decode(BuildJob, job)


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_buildx_is_told_what_was_written_down(case: Path) -> None:
    golden = json.loads(case.read_text("utf-8"))
    assert list(arguments(golden["given"])) == golden["arguments"]
