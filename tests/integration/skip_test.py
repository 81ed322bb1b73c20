"""Promise 1: an unchanged image costs no `buildx` call where a cache of Pants has its record."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Files, Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.required import docker_host

TARGETS = {"base:image", "app:image", "layout:image"}


@pytest.fixture
def files(registry: Registry, repository: str, busybox: str) -> Files:
    """An image on an image, and one that is an OCI image layout."""
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": "docker_buildkit_image(name='image')",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
        "app/BUILD": "files(name='files', sources=['*.txt'])\ndocker_buildkit_image(name='image')",
        "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nCOPY app/hello.txt /\n",
        "app/hello.txt": "hello\n",
        "layout/BUILD": "docker_buildkit_image(name='image', registries=[])",
        "layout/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /layout\n",
    }


def test_an_unchanged_image_needs_no_docker_in_later_runs(machine: Machine, files: Files) -> None:
    checkout = machine.checkout("checkout", files)
    first = checkout.pants("package", "::", pantsd=True)
    assert first.kinds == dict.fromkeys(TARGETS, "built")
    assert set(first.reasons.values()) == {"no build is remembered on this machine"}
    assert len(first.builds) == 3
    records = {target: checkout.record(target) for target in TARGETS}

    second = checkout.pants("package", "::", pantsd=True)
    assert second.kinds == dict.fromkeys(TARGETS, "unchanged")
    assert second.docker_calls == ()

    checkout.stop_pantsd()
    checkout.forget_results()
    after_restart = checkout.pants("package", "::", pantsd=True)
    assert after_restart.kinds == dict.fromkeys(TARGETS, "unchanged")
    assert after_restart.docker_calls == ()
    assert {target: checkout.record(target) for target in TARGETS} == records

    other_name = machine.checkout("another-checkout", files)
    copied = other_name.pants("package", "::")
    assert copied.docker_calls == ()
    assert {target: other_name.record(target) for target in TARGETS} == records


def test_the_remote_cache_spares_other_machines_the_build(
    machines: Machines, files: Files, remote_cache: RemoteCache
) -> None:
    first = machines.new("first", remote_cache=remote_cache)
    built = first.checkout("checkout", files)
    assert built.pants("package", "::").kinds == dict.fromkeys(TARGETS, "built")

    second = machines.new("second", remote_cache=remote_cache)
    socket = second.directory / "engine.sock"
    socket.symlink_to(docker_host().partition("://")[2])
    second.environment["DOCKER_HOST"] = f"unix://{socket}"
    (second.home / ".docker").mkdir()
    (second.home / ".docker" / "config.json").write_text(
        json.dumps({"auths": {"elsewhere.example": {"auth": "dXNlcjpwYXNz"}}})
    )
    restored = second.checkout("another/place", files)
    run = restored.pants("package", "::")
    assert run.kinds == dict.fromkeys(TARGETS, "restored")
    assert run.docker_calls == ()

    without_docker = machines.new("third", remote_cache=remote_cache, has_docker=False)
    run = (third := without_docker.checkout("checkout", files)).pants("package", "::")
    assert run.kinds == dict.fromkeys(TARGETS, "restored")

    for target in TARGETS:
        assert restored.record(target) == built.record(target)
        assert third.record(target) == built.record(target)
    layouts = [each.directory / "dist/layout/image.oci" for each in (built, restored, third)]
    contents = [
        {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
        for root in layouts
    ]
    assert contents[0]
    assert contents[0] == contents[1] == contents[2]
