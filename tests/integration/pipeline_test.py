"""What `docs/plan.md` has CI systems run does what it says there, as far as there is none here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.ready_pants import Python, ready_pants_command
from tests.integration.workbench.registry import Registry

GUIDE = Path(__file__).parents[2] / "docs" / "plan.md"

_WORKFLOW = re.compile(r"^`(?P<name>\.[^`\n]+)`\n```yaml\n(?P<content>.*?)^```$", re.M | re.S)
# Neither server is here: one has the installer of Pants, the other the comments.
_ELSEWHERE = ("curl ", "gh ", "apt-get ")


def scripts(workflow: dict[str, Any]) -> Iterator[str]:
    """The commands of all jobs in their order, but for those that need a server."""
    for job in workflow.get("jobs", workflow).values():
        if not isinstance(job, dict):
            continue
        for step in (*job.get("steps", ()), *job.get("script", ())):
            script = step if isinstance(step, str) else step.get("run", "")
            if script and not script.startswith(_ELSEWHERE):
                yield script


def files(registry: str, name: str) -> dict[str, str]:
    return {
        ".gitignore": "/dist/\n/.pants.d/\n/*.json\n/*.md\n",
        "pants.toml": repository_settings(registry, name),
        "app/BUILD": "docker_buildkit_image(name='image', image_tags=['1'])\n",
        "app/Dockerfile": f"FROM scratch\nLABEL name={name}\n",
        "deploy/BUILD": "docker_buildkit_manifests(name='manifests', sources=['*.yaml'])\n",
        "deploy/app.yaml": "image: pants://app:image\n",
    }


def git(checkout: Checkout, *arguments: str) -> None:
    subprocess.run(
        ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments),
        cwd=checkout.directory,
        check=True,
    )


def test_the_workflows_plan_build_publish_and_deploy(
    machine: Machine, registry: Registry, repository: str
) -> None:
    workflows = {
        match["name"]: yaml.safe_load(match["content"])
        for match in _WORKFLOW.finditer(GUIDE.read_text())
    }
    assert sorted(workflows) == [".github/workflows/images.yml", ".gitlab-ci.yml"]
    checkout = machine.checkout("checkout", files(registry.address, repository))
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=one")
    git(checkout, "remote", "add", "origin", str(checkout.directory))
    git(checkout, "fetch", "--quiet", "origin")
    checkout.write({"app/Dockerfile": f"FROM scratch\nLABEL name={repository}-changed\n"})

    programs = machine.directory / "programs"
    programs.mkdir()
    (programs / "pants").write_text(
        f'#!/bin/sh\nexec {shlex.join(ready_pants_command(Python()))} "$@"\n'
    )
    (programs / "pants").chmod(0o755)
    environment = {
        **machine.environment,
        "PATH": f"{programs}:{machine.environment['PATH']}",
        "PANTS_PANTSD": "false",
        "PANTS_DYNAMIC_UI": "false",
        "GITHUB_BASE_REF": "main",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": "origin/main",
    }
    commands = dict.fromkeys(each for flow in workflows.values() for each in scripts(flow))
    shown = {}
    for command in commands:
        run = subprocess.run(
            ("/bin/sh", "-e", "-c", command),
            cwd=checkout.directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{command}\n{run.stdout}"
        shown[command] = run.stdout
        if "--against" in command:
            (image,) = json.loads((checkout.directory / "main.json").read_text())["images"]
            assert image["outcome"] == "build"
            text = (checkout.directory / "plan.md").read_text()
            assert "**build** `app:image`\n  - `Dockerfile line 2 changed`" in text
    assert any("✓ image tags published." in each for each in shown.values())
    assert sum("package deploy::" in command for command in shown) == 1
    (manifest,) = (checkout.directory / "dist").rglob("app.yaml")
    assert re.fullmatch(
        rf"image: {re.escape(registry.address)}/.*@sha256:\w+\n", manifest.read_text()
    )
    assert "**Images:** " in (checkout.directory / "plan.md").read_text()
