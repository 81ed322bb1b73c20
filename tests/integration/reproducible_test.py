"""Two modes: the times of plain buildx, and images that are the same whoever builds them when."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, Machine, repository_settings
from tests.integration.workbench.registry import Registry

TIMES = "stat -c '%n %Y' /hello.txt /made"


def dated_image(registry: Registry, repository: str, busybox: str, fields: str) -> dict[str, str]:
    """An image that holds what a step saw as the times of files."""
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": f"docker_buildkit_image(name='image', platforms=['linux/amd64'], {fields})\n"
        "file(name='hello', source='hello.txt')",
        "app/Dockerfile": f"FROM {busybox}\nCOPY app/hello.txt /\n"
        f"RUN echo {repository} > /made\nRUN {TIMES} > /times\n",
        "app/hello.txt": "hello\n",
    }


def files_of(checkout: Checkout, registry: Registry) -> dict[str, tuple[int, bytes]]:
    """The time and content of each file in the layers of the last three steps."""
    (reference,) = json.loads(checkout.record("app:image"))["references"]
    name = reference.partition("@")[0]
    found = {}
    for layer in registry.manifest(reference)["layers"][-3:]:
        content = gzip.decompress(registry.blob(name, layer["digest"]))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    found[member.name] = (int(member.mtime), file.read())
    return found


@pytest.mark.parametrize("is_reproducible", [False, True])
def test_steps_see_the_times_that_the_image_has_unless_these_are_rewritten(
    machine: Machine, registry: Registry, repository: str, busybox: str, *, is_reproducible: bool
) -> None:
    files = dated_image(registry, repository, busybox, f"reproducible={is_reproducible}")
    checkout = machine.checkout("checkout", files)
    checkout.pants("package", "::")
    found = files_of(checkout, registry)
    lines = found["times"][1].decode().splitlines()
    seen = {name[1:]: int(time) for name, time in (line.split() for line in lines)}
    kept = {name: found[name][0] for name in seen}
    assert min(seen.values()) > 0
    assert kept == (dict.fromkeys(seen, 0) if is_reproducible else seen)


def test_a_reproducible_image_is_the_same_from_scratch_on_any_machine(
    machines: Machines, registry: Registry, repository: str, busybox: str
) -> None:
    files = dated_image(registry, repository, busybox, "reproducible=True, no_cache=True")
    files["app/Dockerfile"] = files["app/Dockerfile"].replace(f"RUN {TIMES} > /times\n", "")
    checkouts = [machines.new(name).checkout(name, files) for name in ("one", "two")]
    for checkout in checkouts:
        assert checkout.pants("package", "::").kinds == {"app:image": "built"}
    one, two = (checkout.record("app:image") for checkout in checkouts)
    assert one == two
