"""A disk that fills up during a build is a clear failure, and is forgotten once there is room."""

from __future__ import annotations

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

TARGET = "app:image"
# In a mount namespace of its own, so that the small file system is gone when Pants ends.
ON_A_SMALL_DISK = 'mount -t tmpfs -o size=600k none "$0" && exec "$@"'


def test_a_layout_that_does_not_fit_on_the_disk_fails_and_is_built_when_there_is_room(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    sandboxes = machine.directory / "sandboxes"
    sandboxes.mkdir()
    machine.environment["PANTS_LOCAL_EXECUTION_ROOT_DIR"] = str(sandboxes)
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image', registries=[])",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /app\n",
        },
    )
    namespace = ("unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK)
    full = checkout.pants("package", "::", wrapper=(*namespace, str(sandboxes)), may_fail=True)
    assert full.exit_code != 0
    assert f"Building {TARGET} failed" in full.output
    assert "no space left on device" in full.output.lower()

    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    after = checkout.pants("package", "::")
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()
