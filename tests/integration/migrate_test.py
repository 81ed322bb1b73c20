"""`migrate-docker-images` moves repositories by itself, and they build what they built before."""

from __future__ import annotations

import json

from tests.integration.workbench.engine import image_config, remove_image, run_image
from tests.integration.workbench.machine import Checkout, Machine
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import pants_configuration, plugin_sources

_SETTINGS = """\
[GLOBAL]
pythonpath = ["{plugin}"]
backend_packages = ["pants_docker_buildkit", "pants.backend.docker"]

[anonymous-telemetry]
enabled = false

[python]
interpreter_constraints = [">=3.9"]

[docker]
env_vars = ["DOCKER_HOST", "HOME"]
default_repository = "{repository}/{{directory}}"
build_args = ["TEAM=one"]  # who owns them

[docker.registries.tests]
address = "{registry}"
default = true
"""
_DOCKERFILE = """\
ARG BASE=base:image
FROM $BASE
ARG TEAM
LABEL team=$TEAM
COPY services/{name}/hello.txt /hello.txt
CMD ["cat", "/hello.txt"]
"""
_CONTENT = "find / -xdev -type f -not -path '/etc/*' | sort | xargs sha256sum"


def test_a_repository_is_moved_by_the_command_and_builds_the_same(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    services = ("one", "two")
    settings = _SETTINGS.format(
        plugin=plugin_sources(), repository=repository, registry=registry.address
    )
    files = {
        "pants.toml": settings,
        "base/BUILD": "docker_image(\n    name='image',\n    skip_push=True,\n)\n",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
        "alone/BUILD": "docker_image(name='image', skip_push=True)  # for this machine\n",
        "alone/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /alone\n",
        "services/BUILD": "__defaults__({docker_image: dict(image_labels={'kind': 'service'},"
        " pull=False)})\n",
    }
    for name in services:
        files[f"services/{name}/BUILD"] = (
            "files(name='files', sources=['*.txt'])\n\n"
            "docker_image(name='image', dependencies=[':files'], squash=False)\n"
        )
        files[f"services/{name}/Dockerfile"] = _DOCKERFILE.format(name=name)
        files[f"services/{name}/hello.txt"] = f"{name}\n"
    checkout = machine.checkout("checkout", files)
    run_pants(checkout, "package", "::")
    before = {name: describe(f"{registry.address}/{repository}/{name}:latest") for name in services}

    checked = run_pants(checkout, "migrate-docker-images", "--check", "::", fails=True)
    assert "Would change services/BUILD:" in checked
    assert {name: (checkout.directory / name).read_text() for name in files} == files
    moved = run_pants(checkout, "migrate-docker-images", "::")
    assert "because others build on it; `publish` leaves it alone" in moved
    assert (checkout.directory / "alone/BUILD").read_text() == (
        "docker_buildkit_image(name='image', skip_push=True, output=\"docker\")"
        "  # for this machine\n"
    )

    # All that is left to do: the printed options, and the backend that nothing needs any more.
    options = moved.partition("in place of [docker]:\n\n")[2]
    head = settings.partition("[docker]")[0].replace(', "pants.backend.docker"', "")
    checkout.write({"pants.toml": head + options})
    assert "No docker_image target" in run_pants(checkout, "migrate-docker-images", "--check", "::")
    run = checkout.pants("package", "::")
    assert set(run.kinds.values()) == {"built"}
    after = {
        name: describe(run.outcomes[f"services.{name}/image.image.json"].references[0])
        for name in services
    }
    assert after == before


def run_pants(checkout: Checkout, *arguments: str, fails: bool = False) -> str:
    # Core's Dockerfile parser is a pex, whose making needs what `./pants` set up for this machine.
    configuration = f"--pants-config-files={pants_configuration()}"
    run = checkout.pants(*arguments, configuration, may_fail=fails)
    assert (run.exit_code != 0) == fails, run.output
    return run.output


def describe(reference: str) -> tuple[str, ...]:
    """What is in an image, and how it is run."""
    content = run_image(reference, "sh", "-c", _CONTENT)
    config = image_config(reference)
    remove_image(reference)
    return content, *(json.dumps(config.get(each)) for each in ("Cmd", "Env", "Labels"))
