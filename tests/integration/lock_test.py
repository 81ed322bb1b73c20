"""What images take from outside is in a lock, and with a lock nobody is asked."""

from __future__ import annotations

from pathlib import Path

from tests.integration.workbench.base_image import move_tag, plain_docker, push_busybox
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import OwnRegistry, Registry
from tests.integration.workbench.web_site import WebSite

TARGET = "app:image"
LOCK = "3rdparty/docker/images.lock.dockerfile"
GENERATE = ("generate-lockfiles", "--resolve=docker-images", "--diff")
LOCKED = {"PANTS_DOCKER_BUILDKIT_BASE_IMAGES": "locked"}
FROZEN = {"PANTS_DOCKER_BUILDKIT_BASE_IMAGES": "frozen"}
PAGE = "/tool.txt"


def test_a_lock_is_what_images_are_built_from(
    machine: Machine,
    registry: Registry,
    own_registry: OwnRegistry,
    repository: str,
    tmp_path: Path,
) -> None:
    base, site = push_busybox(tmp_path / "base", own_registry), WebSite()
    site.pages[PAGE] = b"one"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "docker_buildkit_image(name='image', platforms=['linux/amd64'])",
        "app/Dockerfile": f"FROM {base}\nRUN echo 1\nADD {site.url}{PAGE} /tool\n",
    }
    checkout = machine.checkout("checkout", files)
    run = checkout.pants(*GENERATE)
    assert "Added dependencies" in run.output
    assert run.docker_calls == ()
    locked = (checkout.directory / LOCK).read_text()
    assert f"\nFROM {base}@{own_registry.digest(base)}\n" in locked
    assert f" {site.url}{PAGE} /\n" in locked
    plain_docker(*("buildx", "build", "--check", "--file", str(checkout.directory / LOCK), "."))
    assert checkout.pants("package", "::", env=LOCKED).kinds == {TARGET: "built"}
    # The same pins, so that it is no other image.
    assert checkout.pants("package", "::").kinds == {TARGET: "unchanged"}

    # Neither a tag that moved nor another content counts, nor who is not there.
    move_tag(base, base, "LABEL moved=1")
    site.pages[PAGE] = b"two"
    site.requests.clear()
    assert checkout.pants("package", "::", env=LOCKED).kinds == {TARGET: "unchanged"}
    assert site.requests == []
    own_registry.stop()
    checkout.replace("app/Dockerfile", "echo 1", "echo 2")
    site.pages[PAGE] = b"one"
    assert checkout.pants("package", "::", env=FROZEN).kinds == {TARGET: "built"}
    follows = checkout.pants("package", "::", may_fail=True)
    assert "its registry did not return one" in follows.output

    own_registry.start()
    site.pages[PAGE] = b"two"
    run = checkout.pants(*GENERATE)
    site.close()
    assert run.output.count("-->") == 2
    assert own_registry.digest(base) in (checkout.directory / LOCK).read_text()
    checkout.replace("app/Dockerfile", base, f"{base}0")
    run = checkout.pants("package", "::", env=FROZEN, may_fail=True)
    assert f"reads {base}0 (line 1" in run.output
    assert f"which has {base}." in run.output
