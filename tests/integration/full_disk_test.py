"""A disk that fills up during a build is a clear failure, and is forgotten once there is room."""

from __future__ import annotations

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

TARGET = "app:image"
# In a mount namespace of its own, so that the small file system is gone when Pants ends.
ON_A_SMALL_DISK = 'mount -t tmpfs -o mode=700,size=600k none "$0" && exec "$@"'
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK)


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
    wrapper = (*IN_A_NAMESPACE, str(sandboxes))
    full = checkout.pants("package", "::", wrapper=wrapper, may_fail=True)
    assert full.exit_code != 0
    assert f"Building {TARGET} failed" in full.output
    assert "no space left on device" in full.output.lower()
    assert f"Make room in {sandboxes}, or choose another" in full.output

    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    after = checkout.pants("package", "::")
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()


def test_a_context_that_does_not_fit_on_the_disk_names_its_place_and_is_built_when_there_is_room(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "files(name='files', sources=['data'])\n"
            "docker_buildkit_image(name='image', dependencies=[':files'])",
            "app/data": b"x" * 900_000,
            "app/Dockerfile": f"FROM {busybox}\nCOPY app/data /\n",
        },
    )
    machine.named_caches.mkdir()
    wrapper = (*IN_A_NAMESPACE, str(machine.named_caches))
    full = checkout.pants("package", "::", wrapper=wrapper, may_fail=True)
    assert full.exit_code != 0
    assert f"Building {TARGET} failed" in full.output
    assert "no space left on device" in full.output.lower()
    assert f"must be written to {machine.named_caches}/" in full.output
    assert "'.docker-buildkit" not in full.output
    assert "choose another `[GLOBAL].named_caches_dir`" in full.output

    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
