"""What an image was made from is in its record, also where nothing is built."""

from __future__ import annotations

import hashlib
import json

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache
from tests.integration.workbench.web_site import WebSite

TARGET = "app:image"
PAGE = "/tool.txt"
NO_MATERIALS = {"PANTS_DOCKER_BUILDKIT_RECORD_MATERIALS": "false"}


def test_records_say_what_images_are_made_from(
    machines: Machines,
    registry: Registry,
    repository: str,
    busybox: str,
    remote_cache: RemoteCache,
) -> None:
    site = WebSite()
    site.pages[PAGE] = b"one"
    platforms = "platforms=['linux/amd64', 'linux/arm64']"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": f"docker_buildkit_image(name='image', {platforms}, output='oci')",
        "base/Dockerfile": f"FROM {busybox}\nLABEL a={repository}\n",
        "app/BUILD": f"docker_buildkit_image(name='image', {platforms})",
        "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\n"
        f"COPY --from={busybox} /bin/busybox /b\nADD {site.url}{PAGE}?token=s3cret /tool\n",
    }
    checkout = machines.new("one", remote_cache=remote_cache).checkout("checkout", files)
    assert checkout.pants("package", TARGET).kinds[TARGET] == "built"
    record = checkout.record(TARGET)
    checkout.pants("package", "base:image")
    base = json.loads(checkout.record("base:image"))["image"]["digest"]
    name, pinned = busybox.rpartition(":")[0], registry.digest(busybox)
    expected = [(f"{site.url}{PAGE}?***", f"sha256:{hashlib.sha256(b'one').hexdigest()}")]
    for platform in ("linux%2Famd64", "linux%2Farm64"):
        expected += [
            (f"pkg:docker/{name}@1?digest={pinned}&platform={platform}", pinned),
            (f"pkg:oci/pants-base?digest={base}&platform={platform}", base),
        ]
    found = json.loads(record)["materials"]
    assert sorted((each["uri"], each["digest"]) for each in found) == sorted(expected)
    assert b"s3cret" not in record

    other = machines.new("two", remote_cache=remote_cache, has_docker=False)
    restored = other.checkout("checkout", files)
    assert restored.pants("package", TARGET).kinds[TARGET] == "restored"
    assert restored.record(TARGET) == record
    assert restored.pants("package", TARGET, env=NO_MATERIALS).kinds[TARGET] == "unchanged"
    site.close()
    assert json.loads(restored.record(TARGET))["materials"] == []


def test_an_image_is_read_from_a_registry_of_the_image_that_is_based_on_it(
    machines: Machines, registry: Registry, repository: str
) -> None:
    port = registry.address.rpartition(":")[2]
    settings = f"[docker-buildkit.registries.other]\naddress = 'localhost:{port}'\n"
    checkout = machines.new("one").checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository, settings),
            "base/BUILD": "docker_buildkit_image(name='image', registries=['@tests', '@other'])",
            "base/Dockerfile": f"FROM scratch\nLABEL a={repository}\n",
            "app/BUILD": "docker_buildkit_image(name='image', registries=['@other'])",
            "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\n",
        },
    )
    checkout.pants("package", TARGET)
    (base,) = json.loads(checkout.record(TARGET))["materials"]
    assert base["uri"].startswith(f"pkg:docker/localhost:{port}/{repository}/base?")
