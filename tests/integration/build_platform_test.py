"""What a Dockerfile sees of its builder: `BUILDPLATFORM`, `BUILDARCH` and the others."""

from __future__ import annotations

import json

from tests.integration.conftest import Machines
from tests.integration.workbench.image_files import image_files
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry

TARGET = "app:image"
BUILD = """\
files(name="tools", sources=["tool-*"])
docker_buildkit_image(
    name="image", dependencies=[":tools"], platforms=["linux/amd64", "linux/arm64"]
)
"""
FILES = {"app/BUILD": BUILD, "app/tool-amd64": "for amd64", "app/tool-arm64": "for arm64"}


def platform_files(checkout: Checkout, registry: Registry) -> list[dict[str, str]]:
    record = json.loads(checkout.record(TARGET))
    name = record["references"][0].partition("@")[0]
    return [image_files(registry, f"{name}@{each['digest']}") for each in record["platforms"]]


def test_an_image_for_another_platform_sees_the_platform_of_its_builder(
    machine: Machine, registry: Registry, repository: str
) -> None:
    files = {
        **FILES,
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": BUILD.replace('"linux/amd64", ', ""),
        "app/Dockerfile": "FROM scratch\nARG BUILDARCH\nCOPY app/tool-$BUILDARCH /tool\n",
    }
    checkout = machine.checkout("checkout", files)
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    # The engine of these tests runs on the machine that Pants does.
    (found,) = platform_files(checkout, registry)
    assert found == {"tool": "for amd64"}
    unchanged = checkout.pants("package", "::")
    assert unchanged.kinds == {TARGET: "unchanged"}
    assert unchanged.docker_calls == ()


def test_a_team_may_choose_what_the_dockerfile_sees_on_all_builders(
    machines: Machines, registry: Registry, repository: str, busybox: str
) -> None:
    option = "build_platform = 'linux/arm64'"
    settings = repository_settings(registry.address, repository)
    files = {
        **FILES,
        "pants.toml": settings.replace("[docker-buildkit]\n", f"[docker-buildkit]\n{option}\n"),
        "app/Dockerfile": f"FROM --platform=$BUILDPLATFORM {busybox} AS tools\n"
        "RUN busybox | head -c 1 > /dev/null; uname -m > /machine\n"
        "FROM scratch\nARG BUILDARCH\nARG BUILDOSVERSION=none\n"
        "COPY app/tool-$BUILDARCH /tool\nCOPY --from=tools /machine /machine\n",
    }
    checkout = machines.new("one").checkout("checkout", files)
    run = checkout.pants("package", "::")
    assert run.kinds == {TARGET: "built"}
    assert [call[:2] for call in run.docker_calls].count(("buildx", "build")) == 1
    expected = {"tool": "for arm64", "machine": "aarch64\n"}
    assert platform_files(checkout, registry) == [expected, expected]
