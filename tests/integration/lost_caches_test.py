"""Caches that are lost, damaged or shared give the same image, or a clear failure."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout, Files, Machine, repository_settings
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.remote_cache import RemoteCache

TARGETS = {"app:image", "layout:image"}


# Without an inline cache, which holds times, so that building again gives the same image.
@pytest.fixture
def files(registry: Registry, repository: str, busybox: str) -> Files:
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', inline_cache=False)",
        "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /app\n",
        "layout/BUILD": "docker_buildkit_image(name='image', registries=[])",
        "layout/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /layout\n",
    }


def records(checkout: Checkout) -> dict[str, bytes]:
    return {target: checkout.record(target) for target in TARGETS}


def test_a_local_store_that_was_dropped_is_filled_again(machine: Machine, files: Files) -> None:
    checkout = machine.checkout("checkout", files)
    checkout.pants("package", "::")
    before = records(checkout)
    shutil.rmtree(machine.local_store)
    again = checkout.pants("package", "::")
    assert again.reasons == dict.fromkeys(TARGETS, "no cached record")
    assert len(again.builds) == 2
    assert records(checkout) == before
    assert checkout.pants("package", "::").docker_calls == ()


def test_a_local_store_that_was_dropped_is_filled_from_the_remote_cache(
    machines: Machines, files: Files, remote_cache: RemoteCache
) -> None:
    machine = machines.new("machine", remote_cache=remote_cache)
    checkout = machine.checkout("checkout", files)
    checkout.pants("package", "::")
    before = records(checkout)
    shutil.rmtree(machine.local_store)
    shutil.rmtree(machine.named_caches)
    checkout.forget_results()
    again = checkout.pants("package", "::")
    assert again.kinds == dict.fromkeys(TARGETS, "restored")
    assert again.docker_calls == ()
    assert records(checkout) == before


@pytest.mark.parametrize("part", ["processes", "files", "directories"])
def test_a_damaged_local_store_gives_the_same_image_or_a_failure(
    machine: Machine, files: Files, part: str
) -> None:
    checkout = machine.checkout("checkout", files)
    checkout.pants("package", "::")
    before = records(checkout)
    for database in (machine.local_store / part).rglob("data.mdb"):
        with open(database, "r+b") as file:
            file.truncate(database.stat().st_size // 2)
    checkout.forget_results()
    damaged = checkout.pants("package", "::", may_fail=True)
    if damaged.exit_code == 0:
        assert records(checkout) == before
    else:
        assert "<unknown>" not in damaged.output
        shutil.rmtree(machine.local_store)
        checkout.pants("package", "::")
        assert records(checkout) == before


@pytest.mark.parametrize("damage", ["another digest", "nothing left", "gone"])
def test_a_damaged_remote_cache_gives_the_same_image_or_a_failure(
    machines: Machines, files: Files, remote_cache: RemoteCache, damage: str
) -> None:
    built = machines.new("first", remote_cache=remote_cache).checkout("checkout", files)
    built.pants("package", "::")
    results = cached_results(remote_cache.content, built)
    assert results
    for blob in results:
        if damage == "another digest":
            changed = re.sub(rb"sha256:[0-9a-f]{64}", b"sha256:" + b"0" * 64, blob.read_bytes())
            blob.write_bytes(changed)
        elif damage == "nothing left":
            blob.write_bytes(b"")
        else:
            blob.unlink()

    second = machines.new("second", remote_cache=remote_cache).checkout("checkout", files)
    run = second.pants("package", "::", may_fail=True)
    if run.exit_code == 0:
        assert records(second) == records(built)
    else:
        assert "<unknown>" not in run.output
        assert any(target in run.output for target in TARGETS)


def cached_results(content: Path, checkout: Checkout) -> list[Path]:
    """The blobs that are what a build process printed."""
    digests = [json.loads(record)["build_digest"].encode() for record in records(checkout).values()]
    return [
        path
        for path in content.rglob("*")
        if path.is_file()
        and any(
            b'"build_digest": "' + digest in path.read_bytes()
            and b'"media_type"' in path.read_bytes()
            for digest in digests
        )
    ]
