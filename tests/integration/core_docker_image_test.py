"""A `docker_image` of Pants' own Docker backend can be built on one of our images."""

from __future__ import annotations

from tests.integration.workbench.engine import remove_image, run_image
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import pants_configuration

SETTINGS = """\
[python]
interpreter_constraints = ["CPython==3.9.*"]

[docker]
env_vars = ["DOCKER_HOST", "HOME"]
"""


def both_backends(registry: Registry, repository: str) -> str:
    return repository_settings(registry.address, repository, SETTINGS).replace(
        '["pants_docker_buildkit"]', '["pants_docker_buildkit", "pants.backend.docker"]'
    )


def test_a_core_docker_image_is_built_on_our_pinned_image(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    name = repository.partition("/")[2]
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": both_backends(registry, repository),
            "base/BUILD": "docker_buildkit_image(name='image')",
            "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
            "app/BUILD": f"docker_image(name='image', repository='{name}')",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nCMD cat /base\n",
        },
    )
    # Core's Dockerfile parser is a pex, whose making needs what `./pants` set up for this machine.
    run = checkout.pants("package", "::", f"--pants-config-files={pants_configuration()}")
    (pinned,) = run.outcomes["base/image.image.json"].references
    (build,) = [call for call in run.builds if f"{name}:latest" in call]
    assert f"BASE={pinned}" in build
    assert run_image(f"{name}:latest") == f"{repository}\n"

    checkout.replace("base/Dockerfile", "RUN echo ", "RUN echo local ")
    local = ("--docker-buildkit-output=docker", "package", "app:image")
    run = checkout.pants(*local, f"--pants-config-files={pants_configuration()}")
    (build,) = [call for call in run.builds if f"{name}:latest" in call]
    assert any(each.startswith("BASE=") and registry.address not in each for each in build)
    assert run_image(f"{name}:latest") == f"local {repository}\n"
    remove_image(f"{name}:latest")


def test_a_core_docker_image_can_depend_on_a_layout_and_says_why_it_cannot_be_built_on_it(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    name = repository.partition("/")[2]
    image = f"docker_image(repository='{name}', dependencies=['base:image'])"
    checkout = machine.checkout(
        "layout",
        {
            "pants.toml": both_backends(registry, repository),
            "base/BUILD": "docker_buildkit_image(name='image', output='oci')",
            "base/Dockerfile": f"FROM {busybox}\n",
            "app/BUILD": image,
            "app/Dockerfile": f"FROM {busybox}\nCMD echo {name}\n",
        },
    )
    command = ("package", "app:app", f"--pants-config-files={pants_configuration()}")
    checkout.pants(*command)
    assert run_image(f"{name}:latest") == f"{name}\n"
    remove_image(f"{name}:latest")
    checkout.write({"app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\n"})
    run = checkout.pants(*command, may_fail=True)
    assert (
        "base:image, a layout that no docker_image can build on: give it a registry" in run.output
    )
