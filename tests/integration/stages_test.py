"""Stages of one Dockerfile are images of their own, for every goal."""

from __future__ import annotations

import json

from tests.integration.workbench.engine import run_image
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

DOCKERFILE = """\
FROM {busybox} AS build
COPY app/version.txt /
RUN cat /version.txt /proc/sys/kernel/random/uuid > /id && sleep 1
FROM build AS test
RUN echo test >> /id
FROM scratch AS tools
COPY --from=build /id /id
FROM build AS release
CMD ["cat", "/id"]
FROM build AS check
RUN test -s /id
"""
BUILD = """\
file(name="version", source="version.txt")
docker_buildkit_images(
    name="images",
    stages=["test", "tools", "release"],
    image_tags=["{stage}"],
    repository="REPOSITORY",
    overrides={"tools": {"output": "oci", "skip_push": True}},
)
docker_buildkit_image(
    name="child",
    instructions=[
        "ARG BASE=:images#test",
        "FROM $BASE AS unused",
        "FROM tools",
        "COPY --from=released /id /released",
    ],
    source=None,
    output="oci",
    build_contexts={"tools": ":images#tools", "released": ":images#release"},
)
docker_buildkit_image_refs(name="refs", images={"TEST": ":images#test"}, format="env")
docker_buildkit_test(name="checked", image=":images#release", target_stage="check")
"""
NAMES = ("test", "tools", "release")


def test_stages_are_images_of_their_own_for_every_goal(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": BUILD.replace("REPOSITORY", repository),
            "app/Dockerfile": DOCKERFILE.format(busybox=busybox),
            "app/version.txt": f"{repository}\n",
        },
    )
    run = checkout.pants("package", "::", pantsd=True)
    images = [f"app:images-{name}" for name in NAMES]
    assert run.kinds == dict.fromkeys([*images, "app:child"], "built")
    records = {name: json.loads(checkout.record(f"app:images-{name}")) for name in NAMES}
    assert [each["target"] for each in records.values()] == [f"app:images#{n}" for n in NAMES]
    assert len({each["image"]["digest"] for each in records.values()}) == len(NAMES)
    (tested,), (released,) = (records[name]["references"] for name in ("test", "release"))
    assert f"TEST={tested}\n" in (checkout.directory / "dist/app/refs.env").read_text()
    # What the stages share was built once, though they were built at the same time.
    shared = run_image(released)
    assert run_image(tested, "cat", "/id") == f"{shared}test\n"

    # The target stands for all of them.
    again = checkout.pants("package", "publish", "app:images", "app:child", pantsd=True)
    assert again.kinds == dict.fromkeys([*images, "app:child"], "unchanged")
    assert again.builds == []
    for name in ("test", "release"):
        published = registry.digest(f"{registry.address}/{repository}:{name}")
        assert published == records[name]["image"]["digest"]
    goals = ("plan-images", "list-images", "peek", "lint", "test", "tailor")
    run = checkout.pants("--tailor-check", *goals, "app:images", "app:checked", pantsd=True)
    for name in NAMES:
        # A plan and a listing say each.
        assert run.output.count(f"app:images#{name}") >= 2, run.output
    assert run.passed_tests == {"app:checked"}
