"""What `docs/consuming.md` says happens: its files are written, its snippets are run in order."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, repository_settings
from tests.integration.workbench.ready_pants import Python, ready_pants_command
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import (
    helm_program,
    kubectl_program,
)

GUIDE = Path(__file__).parents[2] / "docs" / "consuming.md"

_FILE = re.compile(r"^`(?P<name>[^`\n]+)`\n```\w+\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_SNIPPET = re.compile(r"^```sh\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGED = re.compile(r"^\$ pants (--changed.*)$", re.MULTILINE)

# There is no cluster. What kubectl decodes without one is printed again, as JSON.
_KUBECTL = """\
#!/bin/sh -eu
[ "$*" = "apply --filename=-" ]
exec {kubectl} annotate --local --filename=- --output=json seen=yes
"""
_PANTS = """\
#!/bin/sh -eu
export PANTS_WORKDIR={private}/workdir PANTS_SUBPROCESSDIR={private}/pids
exec {pants} --no-pantsd --no-dynamic-ui "$@"
"""


@dataclass(frozen=True)
class Guide:
    """The guide's repository, and what its snippets said, by the program that they start with."""

    checkout: Checkout
    reference: str
    said: dict[str, str]
    outputs: str


@pytest.fixture(scope="module")
def guide(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, busybox: str
) -> Iterator[Guide]:
    directory = tmp_path_factory.mktemp("guide")
    machines = Machines(directory)
    machine = machines.new("machine")
    text = GUIDE.read_text()
    files = {match["name"]: match["content"] for match in _FILE.finditer(text)}
    repository = f"integration/{directory.name}"
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "src/app/Dockerfile": f"FROM {busybox}\nRUN echo {directory} >/app\n",
            **files,
        },
    )
    tools = directory / "tools"
    write_programs(tools, directory)
    environment = {
        **machine.environment,
        "PATH": f"{tools}:{machine.environment['PATH']}",
        "GITHUB_OUTPUT": str(directory / "outputs"),
    }
    said = {}
    for snippet in _SNIPPET.findall(text):
        run = subprocess.run(
            ["/bin/sh", "-euc", snippet],
            cwd=checkout.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{snippet}\n{run.stdout}{run.stderr}"
        said[" ".join(snippet.split()[:2])] = run.stdout
    references = json.loads((checkout.directory / "dist/src.app/refs.json").read_text())
    outputs = (directory / "outputs").read_text()
    yield Guide(checkout, references["APP"]["reference"], said, outputs)
    machines.close()


def write_programs(tools: Path, directory: Path) -> None:
    tools.mkdir()
    (tools / "kubectl").write_text(_KUBECTL.format(kubectl=kubectl_program()))
    (tools / "pants").write_text(
        _PANTS.format(pants=shlex.join(ready_pants_command(Python())), private=directory)
    )
    for program in tools.iterdir():
        program.chmod(0o755)
    (tools / "helm").symlink_to(helm_program())


def test_the_guide_has_the_snippets_that_are_checked_here(guide: Guide) -> None:
    assert list(guide.said) == [
        "pants package",
        "docker pull",
        ". dist/src.app/env.env",
        "cat dist/src.app/env.env",
        "python3 -c",
        "pants run",
        "helm template",
    ]


def test_docker_pulls_the_reference_of_the_text_file(guide: Guide) -> None:
    assert guide.said["docker pull"].strip() == guide.reference


def test_a_shell_and_a_ci_system_read_the_lines_for_the_environment(guide: Guide) -> None:
    digest = guide.reference.partition("@")[2]
    said = guide.said[". dist/src.app/env.env"]
    assert said == f"{guide.reference} has the digest {digest} and runs on linux/amd64\n"
    assert f"APP={guide.reference}\n" in guide.outputs


def test_other_programs_read_the_json_file(guide: Guide) -> None:
    assert guide.said["python3 -c"].strip() == guide.reference


def test_kubectl_decodes_what_run_prints_and_finds_the_reference(guide: Guide) -> None:
    deployment = json.loads(guide.said["pants run"])
    assert deployment["kind"] == "Deployment"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == guide.reference
    assert container["args"] == [f"--worker-image={guide.reference}"]


def test_packaged_manifests_keep_their_comments(guide: Guide) -> None:
    path = guide.checkout.directory / "dist/src.app/manifests/k8s/app.yaml"
    comment = "# a target of the BUILD file in the directory above"
    assert f"image: {guide.reference} {comment}\n" in path.read_text()


def test_helm_renders_the_reference(guide: Guide) -> None:
    assert f'image: "{guide.reference}"\n' in guide.said["helm template"]


def test_a_change_of_an_image_lists_the_manifests_that_it_touches(guide: Guide) -> None:
    checkout = guide.checkout
    git(checkout, "init", "--quiet", "--initial-branch=main")
    (checkout.directory / ".gitignore").write_text("/dist/\n")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=All")
    git(checkout, "update-ref", "refs/remotes/origin/main", "HEAD")
    checkout.replace("src/app/Dockerfile", "RUN", "RUN true\nRUN")
    (arguments,) = _CHANGED.findall(GUIDE.read_text())
    run = checkout.pants(*arguments.split())
    # A busy Pants also logs what it waits for at its end.
    listed = [line for line in run.output.splitlines() if "[INFO]" not in line]
    assert listed == ["src/app:manifests", "src/app:values"]


def git(checkout: Checkout, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=checkout.directory, check=True)
