"""`pants plan-images` says what `package` does next and why, and asks no builder for it."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.conftest import Machines
from tests.integration.workbench.door import Door
from tests.integration.workbench.machine import Checkout, Files, Machine, repository_settings
from tests.integration.workbench.registry import OwnRegistry, Registry
from tests.integration.workbench.remote_cache import RemoteCache

PLAN = "in/no/directory/yet/plan.json"
NO_MEMORY = "no build is remembered on this machine"


def images(registry: str, repository: str, busybox: str) -> Files:
    """An image that another is based on, and one by itself."""
    fields = "inline_cache=False, image_tags=['latest']"
    return {
        "pants.toml": repository_settings(registry, repository),
        "base/BUILD": "files(name='files', sources=['*.txt'])\n"
        f"docker_buildkit_image(name='image', dependencies=[':files'], {fields})",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\nCOPY base /copied\n",
        "base/a.txt": "a\n",
        "leaf/BUILD": f"docker_buildkit_image(name='image', {fields})",
        "leaf/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nRUN echo leaf > /leaf\n",
        "alone/BUILD": "docker_buildkit_image(name='image', image_tags=[],"
        " extra_build_args=['MODE=hunter2'])",
        "alone/Dockerfile": f"FROM {busybox}\nARG MODE\nRUN echo {repository} > /alone\n",
    }


def plan(checkout: Checkout, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """The plan of each image by its target. Nobody was asked for it."""
    run = checkout.pants(
        *("plan-images", "--format=json", f"--output-file={PLAN}", *arguments),
        pantsd=True,
        may_fail=True,
    )
    assert run.exit_code == exit_code, run.output
    assert run.docker_calls == ()
    document = json.loads((checkout.directory / PLAN).read_text())
    assert document["schema"] == 1
    return {each["target"]: each for each in document["images"]}


def outcomes(planned: dict[str, Any]) -> dict[str, str]:
    return {target: each["outcome"] for target, each in planned.items()}


def texts(planned: dict[str, Any]) -> dict[str, list[str]]:
    return {
        target: [reason["text"] for reason in each["reasons"]]
        for target, each in planned.items()
        if each["reasons"]
    }


def test_a_plan_says_what_package_then_does(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", images(registry.address, repository, busybox))
    first = plan(checkout, "--detailed-exit-code", "::", exit_code=2)
    assert outcomes(first) == {
        "alone:image": "build",
        "base:image": "build",
        "leaf:image": "depends",
    }
    assert texts(first) == {
        "alone:image": [NO_MEMORY],
        "base:image": [NO_MEMORY],
        "leaf:image": ["depends on base:image"],
    }
    # The base belongs to it, although nobody asked for that.
    assert outcomes(plan(checkout, "leaf:image")).keys() == {"base:image", "leaf:image"}

    run = checkout.pants("package", "::", pantsd=True)
    assert run.reasons["base:image"] == NO_MEMORY
    record = json.loads(checkout.record("base:image"))
    for key in ("context_digest", "build_digest"):
        assert record[key] == first["base:image"][key]

    second = plan(checkout, "--detailed-exit-code", "::")
    assert set(outcomes(second).values()) == {"unchanged"}
    assert second["base:image"]["digest"] == record["image"]["digest"]
    assert second["base:image"]["references"] == record["references"]
    assert second["base:image"]["last_build_seconds"] > 0
    latest = f"{registry.address}/{repository}/base:latest"
    assert second["base:image"]["tags"] == [
        {"name": latest, "outcome": "create", "from": None, "to": record["image"]["digest"]}
    ]
    checkout.pants("publish", "base:image", pantsd=True)

    run = checkout.pants(
        *("list-images", "--format=json", "--output-file=list.json", "base:", "leaf:"), pantsd=True
    )
    assert run.docker_calls == ()
    listed = json.loads((checkout.directory / "list.json").read_text())["images"]
    assert [each["target"] for each in listed] == ["base:image", "leaf:image"]
    base, leaf = listed
    digest = record["image"]["digest"]
    assert (base["has_record"], base["references"]) == (True, record["references"])
    assert base["tags"] == [{"name": latest, "digest": digest, "is_here": True}]
    assert [each["is_here"] for each in leaf["tags"]] == [False]
    (platform,) = base["platforms"]
    assert platform["digest"] == record["platforms"][0]["digest"]
    assert platform["size"] == sum(each["size"] for each in platform["layers"]) > 0
    (above,) = leaf["platforms"]
    assert above["layers"][:-1] == platform["layers"]

    checkout.pants("publish", "leaf:image", pantsd=True)
    checkout.write({"base/b.txt": "b\n"})
    checkout.replace("alone/BUILD", "hunter2", "hunter3")
    third = plan(checkout, "::")
    assert texts(third) == {
        "alone:image": ["build arg MODE changed"],
        "base:image": ["base/b.txt added"],
        "leaf:image": ["depends on base:image"],
    }
    (tag,) = third["base:image"]["tags"]
    assert tag == {
        "name": latest,
        "outcome": "move",
        "from": record["image"]["digest"],
        "to": None,
    }
    (tag,) = third["leaf:image"]["tags"]
    assert (tag["outcome"], tag["from"]) == ("depends", second["leaf:image"]["digest"])
    assert "hunter" not in json.dumps(third)
    run = checkout.pants("list-images", "::", pantsd=True)
    assert run.docker_calls == ()
    assert "alone:image\n  no record (build)\n" in run.output
    assert "3 images, 0 with a record" in run.output
    run = checkout.pants("package", "::", pantsd=True)
    assert run.reasons["alone:image"] == "build arg MODE changed"
    assert run.reasons["base:image"] == "base/b.txt added"
    assert "base moved from sha256:" in run.reasons["leaf:image"]


def test_what_failed_in_a_former_run_is_found_out_anew(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", images(registry.address, repository, busybox))
    checkout.replace("leaf/BUILD", "image_tags", "registries=['@tests'], image_tags")
    checkout.pants("package", "::", pantsd=True)
    no_registry = plan(checkout, "--docker-buildkit-registries={}", "leaf:")
    assert "'@tests' is not one" in no_registry["leaf:image"]["problem"]
    unclear = plan(checkout, "--docker-buildkit-default-platforms=['?']", "leaf:", exit_code=1)
    assert "default_platforms" in unclear["leaf:image"]["problem"]

    planned = plan(checkout, "leaf:")
    assert outcomes(planned) == {"base:image": "unchanged", "leaf:image": "unchanged"}
    assert planned["leaf:image"]["problem"] is None
    assert [each["outcome"] for each in planned["leaf:image"]["tags"]] == ["create"]


def test_a_plan_against_another_says_how_they_differ(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", images(registry.address, repository, busybox))
    checkout.pants("package", "::", pantsd=True)
    plan(checkout, "::")
    before = checkout.directory / "before.json"
    shutil.move(str(checkout.directory / PLAN), before)
    same = plan(checkout, "--against=before.json", "--detailed-exit-code", "::")
    assert texts(same) == {}

    checkout.replace("alone/Dockerfile", "/alone", "/other")
    checkout.pants("package", "::", pantsd=True)
    planned = plan(checkout, "--against=before.json", "--detailed-exit-code", "::", exit_code=2)
    assert texts(planned) == {"alone:image": ["Dockerfile line 3 changed"]}
    assert outcomes(planned)["alone:image"] == "unchanged"
    checkout.replace("alone/Dockerfile", "/other", "/third")
    planned = plan(checkout, "--against=dist", "::")
    assert texts(planned) == {"alone:image": ["definition changed"]}
    (checkout.directory / "alone/BUILD").unlink()
    planned = plan(checkout, "--against=before.json", "--detailed-exit-code", "base:", exit_code=2)
    assert outcomes(planned) == {"alone:image": "removed", "base:image": "unchanged"}
    run = checkout.pants("plan-images", "--against=nowhere", "::", pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert "The option `[plan-images].against` must name a plan in JSON" in run.output


def test_a_plan_sees_what_other_machines_built_and_what_a_registry_lost(
    machines: Machines, own_registry: OwnRegistry, repository: str, remote_cache: RemoteCache
) -> None:
    files = {
        "pants.toml": repository_settings(own_registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image')",
        "app/Dockerfile": f"FROM scratch\nLABEL a={repository}\n",
    }
    one = machines.new("one", remote_cache=remote_cache).checkout("checkout", files)
    one.pants("package", "::")
    machine = machines.new("two", remote_cache=remote_cache, has_docker=False)
    two = machine.checkout("checkout", files)
    for _ in range(2):
        # A plan is remembered by nobody.
        assert outcomes(plan(two, "::")) == {"app:image": "restored"}
    assert two.pants("package", "::", pantsd=True).kinds == {"app:image": "restored"}
    assert outcomes(plan(two, "::")) == {"app:image": "unchanged"}

    own_registry.wipe()
    lost = plan(two, "::")
    assert outcomes(lost) == {"app:image": "build"}
    assert texts(lost) == {"app:image": [f"lost in {own_registry.address}/{repository}/app"]}


def test_an_error_of_one_image_is_said_and_the_others_are_planned(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", images(registry.address, repository, busybox))
    checkout.write({"alone/Dockerfile": "FROM scratch\nCOPY nowhere /\n"})
    for name, base in (("ring", "chain"), ("chain", "ring"), ("hanging", "ring")):
        dockerfile = f"ARG BASE={base}:image\nFROM $BASE\n"
        checkout.write({f"{name}/BUILD": "docker_buildkit_image(name='image')"})
        checkout.write({f"{name}/Dockerfile": dockerfile})
    checkout.write(
        {
            "above/BUILD": "docker_buildkit_image(name='image')",
            "tagged/BUILD": "docker_buildkit_image(name='image',"
            " instructions=['FROM scratch', 'LABEL a=1'], image_tags=['{nothing}'])",
            "shared/BUILD": "".join(
                f"docker_buildkit_image(name='{name}', repository='{repository}/shared',"
                f" instructions=['FROM scratch', 'LABEL a={name}'], image_tags=['1', '{name}'])\n"
                for name in ("one", "two")
            ),
            "above/Dockerfile": "ARG BASE=alone:image\nFROM $BASE\n",
        }
    )
    run = checkout.pants("plan-images", "::", pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert "above:image\n  It needs alone:image, whose plan is an error.\n" in run.output
    assert "error     tagged:image\n  The `image_tags` field in target tagged:" in run.output
    shared = f"{registry.address}/{repository}/shared"
    for name in ("one", "two"):
        assert (
            f"  tag {shared}:1 would be refused: The tag {shared}:1 must stand for one image, but"
            " these targets are different ones and have it: shared:one, shared:two."
        ) in run.output
        assert f"  tag {shared}:{name} would be created for what is built\n" in run.output
    assert (
        "error     alone:image\n  The `extra_build_args` field in target alone:image" in run.output
    )
    for each in ("hanging", "ring"):
        assert (
            f"error     {each}:image\n  The image ring:image must not need itself, but each of"
            " these needs the next: ring:image → chain:image → ring:image."
        ) in run.output
    assert "3 build, 1 depends, 6 error" in run.output
    assert run.docker_calls == ()


SLOW_SECONDS = 4.0
"""For so long nothing happens in a run that waits for a slow registry, or for a slow package."""


@contextmanager
def slow_way(registry: Registry) -> Iterator[str]:
    """An address of a registry at which each connection takes a while."""
    host, port = registry.address.split(":")

    def dial() -> socket.socket:
        time.sleep(SLOW_SECONDS)
        return socket.create_connection((host, int(port)))

    door = Door(socket.create_server(("127.0.0.1", 0)), dial)
    yield f"127.0.0.1:{door.port}"
    door.close()


def slow_images(registry: str, slow: str, busybox: str) -> Files:
    """Images that are known late: by their bases, their contexts, or what they are built on."""
    image = "docker_buildkit_image(name='image', {})"
    return {
        "far/BUILD": image.format(""),
        "far/Dockerfile": f"FROM {busybox.replace(registry, slow)}\nRUN echo far > /far\n",
        "packed/BUILD": image.format("dependencies=[':made']")
        + "\nshell_command(name='made', tools=['sleep', 'touch'], output_files=['made'],"
        f" command='sleep {SLOW_SECONDS}; touch made')",
        "packed/Dockerfile": f"FROM {busybox}\nCOPY packed/made /\n",
        "middle/BUILD": image.format(""),
        "middle/Dockerfile": "ARG BASE=far:image\nFROM $BASE\nRUN echo middle > /middle\n",
        "top/BUILD": image.format("build_contexts={'alone': 'alone:image', 'far': 'far:image'}"),
        "top/Dockerfile": "ARG BASE=middle:image\nFROM $BASE\n"
        "COPY --from=alone /alone /\nCOPY --from=far /far /again\n",
        "refs/BUILD": "docker_buildkit_image_refs(name='refs', images={'A': 'top:image'})",
    }


def test_where_nothing_may_be_built_all_that_is_missing_is_listed(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    settings = repository_settings(registry.address, repository).replace(
        '["pants_docker_buildkit"]', '["pants_docker_buildkit", "pants.backend.shell"]'
    )
    option = "--docker-buildkit-require-built"
    with slow_way(registry) as slow:
        checkout = machine.checkout(
            "checkout",
            {
                **images(registry.address, repository, busybox),
                **slow_images(registry.address, slow, busybox),
                "pants.toml": settings,
            },
        )
        for missing in (
            ["alone:image", "base:image", "far:image", "packed:image"],
            ["base:image", "middle:image", "packed:image"],
        ):
            run = checkout.pants(option, "package", "::", pantsd=True, may_fail=True)
            listed = "\n".join(f"  * {each} ({NO_MEMORY})" for each in missing)
            assert f"would have to be built:\n\n{listed}\n\nThose that" in run.output
            assert run.docker_calls == ()
            checkout.pants("package", "far:image", "alone:image", pantsd=True)
        checkout.pants("package", "::", pantsd=True)
        checkout.pants("package", "::", pantsd=True)
        run = checkout.pants(option, "package", "::", pantsd=True)
    assert set(run.kinds.values()) == {"unchanged"}
    assert run.docker_calls == ()
