"""A builder is sent the files that changed since the last build of an image, and no others."""

from __future__ import annotations

import io
import json
import re
import tarfile

import pytest

from tests.integration.workbench.machine import Checkout, Files, Machine, repository_settings
from tests.integration.workbench.pants_run import PantsRun
from tests.integration.workbench.registry import Registry

TARGET = "app:image"
FILES = 100
SIZE = 42_000
FEW_BYTES = 64_000

_SENT = re.compile(r"\[internal\] DONE \S+, (?P<bytes>\d+) bytes sent")


@pytest.fixture
def checkout(machine: Machine, registry: Registry, repository: str, busybox: str) -> Checkout:
    files: Files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "files(name='data', sources=['data/*'])\n"
        "docker_buildkit_image(name='image', dependencies=[':data'], inline_cache=False)\n",
        "app/Dockerfile": f"FROM {busybox}\nCOPY app/data /data\nRUN echo {repository} >/seen\n",
        **{f"app/data/{number:03}": f"{number:06}" * (SIZE // 6) for number in range(FILES)},
        "app/data/000": "AAAA",
    }
    return machine.checkout("checkout", files)


def sent(run: PantsRun) -> int:
    """How many bytes of contexts the builder was sent."""
    return sum(int(each["bytes"]) for each in _SENT.finditer(run.output))


def build(checkout: Checkout) -> PantsRun:
    run = checkout.pants("--docker-buildkit-progress=plain", "package", TARGET)
    assert run.kinds == {TARGET: "built"}, run.output
    return run


def test_only_what_changed_is_sent_and_each_change_arrives(
    checkout: Checkout, registry: Registry
) -> None:
    assert sent(build(checkout)) > FILES * SIZE * 0.9

    # The same size, and back again: the builder may not take it for the last.
    for text in ("BBBB", "AAAA"):
        checkout.write({"app/data/000": text})
        # Or the first image would be found in the cache.
        checkout.replace("app/Dockerfile", "COPY", f"LABEL text={text}\nCOPY")
        assert 0 < sent(build(checkout)) < FEW_BYTES
        (reference, *_) = json.loads(checkout.record(TARGET))["references"]
        copied = registry.manifest(reference)["layers"][-2]
        layer = registry.blob(reference.partition("@")[0], copied["digest"])
        assert file_of(layer, "data/000") == text


def file_of(layer: bytes, path: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        file = archive.extractfile(path)
        assert file is not None
        return file.read().decode()
