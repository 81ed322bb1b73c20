"""What base images trigger (`ONBUILD`) is part of the builds that are based on them."""

from __future__ import annotations

import json

from tests.integration.workbench.base_image import move_tag
from tests.integration.workbench.image_files import image_files
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry

TARGET = "app:image"
BUILD = """\
files(name="files", sources=["*.txt"])
docker_buildkit_image(
    name="image",
    dependencies=[":files"],
    platforms=["linux/amd64"],
    extra_build_args=["MODE=fast"],
)
"""


def files_of(checkout: Checkout, registry: Registry, target: str) -> dict[str, str]:
    (reference,) = json.loads(checkout.record(target))["references"]
    return image_files(registry, reference)


def test_triggers_of_an_image_outside_are_in_the_key(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    tool = f"{registry.address}/{repository}-tool:1"
    base = f"{registry.address}/{repository}-base:1"
    move_tag(tool, busybox, "RUN echo one > /made")
    move_tag(
        base,
        busybox,
        "ONBUILD ARG MODE",
        "ONBUILD COPY app/a.txt /a.txt",
        f"ONBUILD COPY --from={tool} /made /made",
        "ONBUILD COPY --from=stage /own.txt /own.txt",
        "ONBUILD RUN echo $MODE > /mode",
    )
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": BUILD,
            "app/a.txt": "a",
            "app/own.txt": "own",
            "app/Dockerfile": f"FROM scratch AS stage\nCOPY app/own.txt /own.txt\nFROM {base}\n",
        },
    )
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    expected = {"a.txt": "a", "made": "one\n", "own.txt": "own", "mode": "fast\n"}
    assert expected.items() <= files_of(checkout, registry, TARGET).items()
    move_tag(tool, busybox, "RUN echo two > /made")
    assert checkout.pants("package", "::").kinds == {TARGET: "built"}
    assert files_of(checkout, registry, TARGET)["made"] == "two\n"


def test_an_image_of_this_repository_has_its_triggers_in_its_record(
    machine: Machine, registry: Registry, repository: str
) -> None:
    base = (
        "docker_buildkit_image(name='{name}', platforms=['linux/amd64', 'linux/arm64'],"
        " source=None, instructions=['FROM scratch', 'ONBUILD ARG MODE',"
        " 'ONBUILD COPY app/a.txt /$MODE']{more})"
    )
    platforms = BUILD.replace('["linux/amd64"]', '["linux/amd64", "linux/arm64"]')
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "base/BUILD": f"{base.format(name='image', more='')}\n"
            f"{base.format(name='layout', more=', registries=[]')}\n",
            "app/BUILD": platforms.replace('    dependencies=[":files"],\n', ""),
            "app/a.txt": "a",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\n",
            "other/BUILD": platforms.replace('[":files"]', '["app:files"]'),
            "other/a.txt": "not copied",
            "other/Dockerfile": "ARG BASE=base:layout\nFROM $BASE\n",
        },
    )
    run = checkout.pants("package", "::")
    assert set(run.kinds.values()) == {"built"}
    for target in ("base:image", "base:layout"):
        for each in json.loads(checkout.record(target))["platforms"]:
            assert each["triggers"] == ["ARG MODE", "COPY app/a.txt /$MODE"]
    for target in ("app:image", "other:image"):
        record = json.loads(checkout.record(target))
        name = record["references"][0].partition("@")[0]
        for each in record["platforms"]:
            assert image_files(registry, f"{name}@{each['digest']}") == {"fast": "a"}
            assert "triggers" not in each


def test_a_target_that_only_a_trigger_needs_is_refused(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    base = f"{registry.address}/{repository}-base:1"
    move_tag(base, busybox, "ONBUILD COPY --from=stage /own.txt /own.txt")
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": BUILD.replace('extra_build_args=["MODE=fast"],', ""),
        "app/Dockerfile": f"ARG OTHER=:other\nFROM $OTHER AS stage\nFROM {base}\n",
    }
    run = machine.checkout("checkout", files).pants("package", "::", may_fail=True)
    assert "line 2 needs the target that ARG OTHER names" in run.output
