"""What `docker` and buildx take from the user's machine by themselves, a build takes as well."""

from __future__ import annotations

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

HOSTS = "extra_build_hosts={'me': 'host-gateway', 'db': '10.0.0.1'}"
# An image would have no address of the machine in it, so a step looks at it.
LOOKS = "RUN grep -E '^[0-9.]+[[:space:]]+me$' /etc/hosts | grep -v 10.0.0.1 | tee /address\n"


def test_the_machine_of_the_engine_has_a_name_on_every_output(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": f"docker_buildkit_image(name='image', {HOSTS})\n"
            f"docker_buildkit_image(name='layout', output='oci', {HOSTS})\n"
            f"docker_buildkit_image(name='local', output='docker', repository='local/{repository}',"
            f" {HOSTS})\n",
            # In lower case, as buildx takes it where there is no other.
            "app/dockerfile": f"FROM {busybox}\n{LOOKS}",
        },
    )
    checkout.pants("package", "::")
