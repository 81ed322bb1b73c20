"""One solve for all platforms, on any builder, with the BuildKit caches that were asked for."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.workbench.builder import (
    BuildKitSocket,
    create_remote_builder,
    forget_steps,
)
from tests.integration.workbench.engine import run_image
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.pants_run import PantsRun
from tests.integration.workbench.registry import Registry

TARGET = "app:image"


@pytest.fixture
def buildkit_socket(tmp_path: Path) -> Iterator[BuildKitSocket]:
    buildkit = BuildKitSocket(tmp_path / "buildkit.sock")
    yield buildkit
    buildkit.close()


def one_image(registry: Registry, repository: str, fields: str, dockerfile: str) -> dict[str, str]:
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": f"files(name='files', sources=['*.txt'])\n"
        f"docker_buildkit_image(name='image', {fields})",
        "app/Dockerfile": dockerfile,
        "app/hello.txt": "hello\n",
    }


def reference(run: PantsRun) -> str:
    (only,) = run.outcomes["app/image.image.json"].references
    return only


def test_several_platforms_are_built_in_one_solve(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    fields = "platforms=['linux/arm64', 'linux/amd64']"
    dockerfile = f"FROM {busybox}\nRUN mkdir /out && echo {repository} $(uname -m) > /out/machine\n"
    checkout = machine.checkout("checkout", one_image(registry, repository, fields, dockerfile))
    run = checkout.pants("package", "::", pantsd=True)
    assert len(run.builds) == 1
    index = registry.manifest(reference(run))
    record = json.loads(checkout.record(TARGET))
    assert record["image"]["media_type"] == index["mediaType"]
    assert [each["platform"] for each in record["platforms"]] == ["linux/amd64", "linux/arm64"]
    for platform, machine_name in zip(record["platforms"], ("x86_64", "aarch64")):
        name = reference(run).partition("@")[0]
        manifest = registry.manifest(f"{name}@{platform['digest']}")
        assert manifest["config"]["digest"] == platform["config_digest"]
        layer = registry.blob(name, manifest["layers"][-1]["digest"])
        assert file_in_layer(layer, "out/machine") == f"{repository} {machine_name}\n".encode()
    after = checkout.pants("package", "::", pantsd=True)
    assert after.kinds == {TARGET: "unchanged"}
    assert after.docker_calls == ()

    checkout.replace("app/BUILD", fields, f"{fields}, registries=[]")
    layout = checkout.pants("package", "::", pantsd=True)
    assert len(layout.builds) == 1
    record = json.loads(checkout.record(TARGET))
    assert [each["platform"] for each in record["platforms"]] == ["linux/amd64", "linux/arm64"]


def file_in_layer(layer: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def test_a_remote_builder_builds_the_same_image(
    machine: Machine,
    registry: Registry,
    repository: str,
    busybox: str,
    buildkit_socket: BuildKitSocket,
) -> None:
    create_remote_builder(machine, "far-away", buildkit_socket.url)
    dockerfile = f"FROM {busybox}\nRUN echo {repository} > /app\nCOPY app/hello.txt /\n"
    files = one_image(registry, repository, "inline_cache=False", dockerfile)
    machine.environment["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
    checkout = machine.checkout("checkout", files)
    option = ("--docker-buildkit-builder=far-away",)
    run = checkout.pants("package", "::", *option, pantsd=True)
    assert run.kinds == {TARGET: "built"}
    (build,) = run.builds
    assert build[build.index("--builder") + 1] == "far-away"
    by_option = reference(run)

    checkout.replace("app/hello.txt", "hello", "changed")
    checkout.replace("app/BUILD", "name='image'", "name='image', builder='far-away'")
    run = checkout.pants("package", "::", pantsd=True)
    (build,) = run.builds
    assert build[build.index("--builder") + 1] == "far-away"
    assert registry.has(reference(run))

    machine.local_store.rename(machine.directory / "another_store")
    checkout.stop_pantsd()
    checkout.write(files)
    here = checkout.pants("package", "::", env={"DOCKER_HOST": machine.engine})
    assert len(here.builds) == 1
    assert reference(here) == by_option


def test_a_remote_builder_loads_an_image_into_the_engine(
    machine: Machine,
    registry: Registry,
    repository: str,
    busybox: str,
    buildkit_socket: BuildKitSocket,
) -> None:
    create_remote_builder(machine, "far-away", buildkit_socket.url)
    fields = "output='docker', registries=[], builder='far-away'"
    dockerfile = f"FROM {busybox}\nRUN echo {repository} > /app\nCMD cat /app\n"
    checkout = machine.checkout("checkout", one_image(registry, repository, fields, dockerfile))
    run = checkout.pants("package", "::", pantsd=True)
    assert run.kinds == {TARGET: "built"}
    assert run_image(reference(run)) == f"{repository}\n"
    assert checkout.pants("package", "::", pantsd=True).kinds == {TARGET: "unchanged"}


def test_a_described_builder_is_waited_for_and_the_user_is_told(
    machine: Machine, registry: Registry, repository: str, tmp_path: Path
) -> None:
    path = tmp_path / "late.sock"
    files = one_image(
        registry, repository, "inline_cache=False", "FROM scratch\nCOPY app/hello.txt /\n"
    )
    late = {"driver": "remote", "endpoint": f"unix://{path}", "boot_timeout": 120}
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in late.items())
    options = f"[docker-buildkit.builders.late]\n{settings}\n"
    files["pants.toml"] = repository_settings(registry.address, repository, options)
    checkout = machine.checkout("checkout", files)
    started = checkout.start("package", "::", "--docker-buildkit-builder=late")

    def is_waited_for() -> bool:
        return any(call[1:2] == ("du",) for call in machine.docker_calls())

    wait_until(lambda: is_waited_for() or started.poll() is not None)
    buildkit = BuildKitSocket(path)
    try:
        run = checkout.finish(started)
    finally:
        buildkit.close()
    assert run.kinds == {TARGET: "built"}, run.output
    assert f"[INFO] Waiting for builder late (unix://{path})…\n" in run.output
    config = machine.named_caches / "docker_buildkit" / "buildx"
    assert config.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("fields", "is_cached"),
    [
        pytest.param("", True, id="inline cache, which is the default"),
        pytest.param(
            "inline_cache=False, cache_to=['type=local,dest={folder}'],"
            " cache_from=['type=local,src={folder}']",
            True,
            id="a cache in a folder",
        ),
        pytest.param("inline_cache=False", False, id="no cache"),
    ],
)
def test_a_builder_that_lost_its_cache_imports_one(
    machine: Machine,
    registry: Registry,
    repository: str,
    busybox: str,
    fields: str,
    is_cached: bool,
) -> None:
    folder = machine.directory / "buildkit-cache"
    marker = repository.partition("/")[2]
    dockerfile = (
        f"FROM {busybox}\n"
        f"RUN echo {marker} && cat /proc/sys/kernel/random/uuid > /stamp\n"
        f"COPY app/hello.txt /{marker}.txt\n"
    )
    files = one_image(registry, repository, fields.format(folder=folder), dockerfile)
    checkout = machine.checkout("checkout", files)
    before = stamp_layer(checkout, registry)
    forget_steps(marker)
    checkout.replace("app/hello.txt", "hello", "changed")
    assert (stamp_layer(checkout, registry) == before) == is_cached


def stamp_layer(checkout: Checkout, registry: Registry) -> str:
    run = checkout.pants("package", "::", pantsd=True)
    assert run.kinds == {TARGET: "built"}
    digest: str = registry.manifest(reference(run))["layers"][-2]["digest"]
    return digest
