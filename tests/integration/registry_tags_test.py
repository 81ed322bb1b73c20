"""The tags that keep what was pushed, in a real registry."""

from __future__ import annotations

import json

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import repository_settings
from tests.integration.workbench.registry import Registry


def test_each_image_of_one_definition_keeps_a_tag_and_only_that_of_the_cache_moves(
    machines: Machines, registry: Registry, repository: str, busybox: str
) -> None:
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', no_cache=True)",
        "app/Dockerfile": f"FROM {busybox}\nRUN cat /proc/sys/kernel/random/uuid > /stamp\n",
    }
    name = f"{registry.address}/{repository}/app"
    records = []
    for machine in ("one", "two"):
        checkout = machines.new(machine).checkout("checkout", files)
        assert checkout.pants("package", "::").kinds == {"app:image": "built"}
        records.append(json.loads(checkout.record("app:image")))
        assert registry.digest(f"{name}:buildcache") == records[-1]["image"]["digest"]
    assert records[0]["build_digest"] == records[1]["build_digest"]
    digests = [each["image"]["digest"] for each in records]
    assert digests[0] != digests[1]
    expected = {f"digest-{each.partition(':')[2]}" for each in digests}
    assert set(registry.tags(name)) == {*expected, "buildcache"}
    assert [
        registry.digest(f"{name}:digest-{each.partition(':')[2]}") for each in digests
    ] == digests
