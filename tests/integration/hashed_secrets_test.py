"""A secret whose content counts gives each of its values an image of its own, also from caches."""

from __future__ import annotations

import io
import json
import tarfile

from tests.integration.conftest import Machines
from tests.integration.workbench.builder import forget_steps
from tests.integration.workbench.machine import repository_settings
from tests.integration.workbench.registry import Registry

TARGET = "app:image"


def last_layer(registry: Registry, record: bytes) -> dict[str, bytes]:
    """The files of the last layer of an image that was pushed."""
    (reference, *_) = json.loads(record)["references"]
    layer = registry.manifest(reference)["layers"][-1]["digest"]
    content = registry.blob(reference.partition("@")[0], layer)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        opened = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def test_a_step_that_mounts_a_secret_runs_again_for_each_of_its_values(
    machines: Machines, registry: Registry, repository: str, busybox: str
) -> None:
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', secrets={'licence': 'env=LICENCE'},"
        " hashed_secrets=['licence'])",
        "app/Dockerfile": f"FROM {busybox}\n"
        "RUN --mount=type=secret,id=licence"
        f" cat /run/secrets/licence > /licence; echo {repository}; date +%s%N > /time\n",
    }
    package = ("--docker-buildkit-secret-hash-key=env=KEY", "package", TARGET)
    one = machines.new("one").checkout("checkout", files)
    for licence in ("one", "two"):
        run = one.pants(*package, env={"LICENCE": licence, "KEY": "key"})
        assert run.kinds == {TARGET: "built"}
        assert last_layer(registry, one.record(TARGET))["licence"] == licence.encode()
    newest = last_layer(registry, one.record(TARGET))

    # Another builder, which has nothing but the inline cache of the newest image.
    forget_steps(repository)
    other = machines.new("other").checkout("checkout", files)
    run = other.pants(*package, env={"LICENCE": "two", "KEY": "key"})
    assert run.kinds == {TARGET: "built"}
    assert last_layer(registry, other.record(TARGET)) == newest, "the inline cache was no help"
    run = other.pants(*package, env={"LICENCE": "one", "KEY": "key"})
    assert run.kinds == {TARGET: "built"}
    content = last_layer(registry, other.record(TARGET))
    assert content["licence"] == b"one"
    assert not [name for name, text in content.items() if b".invalid" in text]
