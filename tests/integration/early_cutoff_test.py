"""Promise 4: dependents get a digest, and are built again only if that digest is another one."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.workbench.machine import Checkout, Files, Machine, repository_settings
from tests.integration.workbench.registry import Registry

MOVED = "tools moved from sha256:[0-9a-f]{12} to sha256:[0-9a-f]{12}"
CHAIN = {"base:image", "middle:image", "tools:image", "leaf:image"}


def chain(registry: Registry, repository: str, busybox: str, fields: str) -> Files:
    """Three images on each other, the last of which copies from a fourth."""
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": f"docker_buildkit_image(name='image', {fields})",
        "base/Dockerfile": f"# one\nFROM {busybox}\nRUN echo {repository} > /base\n",
        "middle/BUILD": f"docker_buildkit_image(name='image', {fields})",
        "middle/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nRUN echo middle > /middle\n",
        "tools/BUILD": f"docker_buildkit_image(name='image', {fields})",
        "tools/Dockerfile": f"# one\nFROM {busybox}\nRUN echo {repository} > /tool\n",
        "leaf/BUILD": "docker_buildkit_image(name='image', build_contexts="
        f"{{'middle': 'middle:image', 'tools': 'tools:image'}}, {fields})",
        "leaf/Dockerfile": "FROM middle\n"
        "COPY --from=tools /tool /tool\n"
        "RUN --mount=from=tools,target=/mnt cat /mnt/tool > /again\n",
    }


# The builder's cache keeps the times of its steps. A first inline cache has a record too many.
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param("inline_cache=False", id="registry"),
        pytest.param("registries=[]", id="oci"),
        pytest.param("reproducible=True", id="reproducible"),
    ],
)
def test_dependents_are_built_again_only_if_the_digest_changed(
    machine: Machine, registry: Registry, repository: str, busybox: str, fields: str
) -> None:
    checkout = machine.checkout("checkout", chain(registry, repository, busybox, fields))
    first = checkout.pants("package", "::", pantsd=True)
    assert first.kinds == dict.fromkeys(CHAIN, "built")
    digests = {target: digest(checkout, target) for target in CHAIN}

    checkout.replace("base/Dockerfile", "# one", "# two")
    checkout.replace("tools/Dockerfile", "# one", "# two")
    run = checkout.pants("package", "::", pantsd=True)
    line = "Dockerfile line 1 changed"
    assert run.reasons == {"base:image": line, "tools:image": line}
    assert len(run.builds) == 2
    assert {target: digest(checkout, target) for target in CHAIN} == digests

    checkout.replace("tools/Dockerfile", "> /tool", "other > /tool")
    run = checkout.pants("package", "::", pantsd=True)
    assert run.reasons["tools:image"] == "Dockerfile line 3 changed"
    assert run.reasons.keys() == {"tools:image", "leaf:image"}
    assert re.fullmatch(MOVED, run.reasons["leaf:image"])
    assert len(run.builds) == 2

    checkout.replace("base/Dockerfile", "> /base", "other > /base")
    run = checkout.pants("package", "::", pantsd=True)
    assert run.kinds == {**dict.fromkeys(CHAIN, "built"), "tools:image": "unchanged"}
    assert len(run.builds) == 3
    for below, above in (("base", "middle"), ("middle", "leaf")):
        lower = layers(checkout, registry, f"{below}:image")
        assert layers(checkout, registry, f"{above}:image")[: len(lower)] == lower
        assert any(digest(checkout, f"{below}:image") in " ".join(call) for call in run.builds)
    assert checkout.pants("package", "::", pantsd=True).docker_calls == ()


def test_images_that_need_each_other_are_refused(
    machine: Machine, registry: Registry, repository: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "one/BUILD": "docker_buildkit_image(name='image')",
            "one/Dockerfile": "ARG BASE=two:image\nFROM $BASE\n",
            "two/BUILD": "docker_buildkit_image(name='image')",
            "two/Dockerfile": "ARG BASE=one:image\nFROM $BASE\n",
        },
    )
    run = checkout.pants("package", "::", may_fail=True)
    assert run.exit_code != 0
    assert "must not need itself, but each of these needs the next:" in run.output
    assert "→ two:image" in run.output
    assert run.docker_calls == ()


def digest(checkout: Checkout, target: str) -> str:
    found: str = json.loads(checkout.record(target))["image"]["digest"]
    return found


def layers(checkout: Checkout, registry: Registry, target: str) -> list[str]:
    """The digests of the layers of an image, from its registry or from its layout."""
    record = json.loads(checkout.record(target))
    if record["references"]:
        manifest = registry.manifest(record["references"][0])
    else:
        directory, _, name = target.partition(":")
        layout = checkout.directory / "dist" / directory / f"{name}.oci"
        blob = layout / "blobs" / record["image"]["digest"].replace(":", "/")
        manifest = json.loads(blob.read_text())
    return [layer["digest"] for layer in manifest["layers"]]
