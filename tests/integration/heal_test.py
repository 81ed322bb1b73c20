"""Promise 3: a record is believed only after its registry confirmed the image in this session."""

from __future__ import annotations

from tests.integration.conftest import Machines
from tests.integration.workbench.builder import forget_steps
from tests.integration.workbench.machine import Files, Machine, repository_settings
from tests.integration.workbench.pants_run import PantsRun
from tests.integration.workbench.registry import OwnRegistry, Registry
from tests.integration.workbench.remote_cache import RemoteCache

TARGETS = {"base:image", "app:image"}


def image_on_image(registry: Registry, repository: str, busybox: str) -> Files:
    return {
        "pants.toml": repository_settings(registry.address, repository),
        "base/BUILD": "docker_buildkit_image(name='image')",
        "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /base\n",
        # Without an inline cache, which holds times, the same build gives the same image.
        "app/BUILD": "docker_buildkit_image(name='image', inline_cache=False)",
        "app/Dockerfile": "ARG BASE=base:image\nFROM $BASE\nRUN echo app > /app\n",
    }


def another_image_each_time(registry: Registry, repository: str, busybox: str) -> Files:
    """The same, where no two builds of the base give the same image."""
    return {
        **image_on_image(registry, repository, busybox),
        "base/BUILD": "docker_buildkit_image(name='image', no_cache=True)",
        "base/Dockerfile": f"FROM {busybox}\nRUN cat /proc/sys/kernel/random/uuid > /base\n",
    }


def reference(run: PantsRun, directory: str) -> str:
    (only,) = run.outcomes[f"{directory}/image.image.json"].references
    return only


def layer_digests(registry: Registry, name: str) -> list[str]:
    return [layer["digest"] for layer in registry.manifest(name)["layers"]]


def test_an_image_that_its_registry_lost_is_built_again(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", image_on_image(registry, repository, busybox))
    first = checkout.pants("package", "::", pantsd=True)
    app = reference(first, "app")
    for _ in range(2):
        registry.delete(app)
        healed = checkout.pants("package", "::", pantsd=True)
        assert healed.kinds == {"app:image": "built", "base:image": "unchanged"}
        assert healed.reasons["app:image"] == f"lost in {app.partition('@')[0]}"
        assert len(healed.builds) == 1
        assert reference(healed, "app") == app
        assert registry.has(app)
        after = checkout.pants("package", "::", pantsd=True)
        assert after.kinds == dict.fromkeys(TARGETS, "unchanged")
        assert after.docker_calls == ()


def test_a_layer_that_its_registry_lost_is_found_where_layers_are_checked(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", image_on_image(registry, repository, busybox))
    app = reference(checkout.pants("package", "::"), "app")
    name, layer = app.partition("@")[0], layer_digests(registry, app)[-1]
    registry.delete_blob(name, layer)
    assert registry.has(app)
    assert checkout.pants("package", "::").kinds == dict.fromkeys(TARGETS, "unchanged")

    for _ in range(2):
        healed = checkout.pants("--docker-buildkit-check-layers", "package", "::")
        assert healed.kinds == {"app:image": "built", "base:image": "unchanged"}
        assert healed.reasons["app:image"] == f"lost in {name}"
        assert reference(healed, "app") == app
        assert registry.blob(name, layer)
        after = checkout.pants("--docker-buildkit-check-layers", "package", "::")
        assert after.kinds == dict.fromkeys(TARGETS, "unchanged")
        # What is not whole gets no tag, and it is said how to make it whole: it is asked for again,
        # although it was there a moment ago.
        registry.delete_blob(name, layer)
        refused = checkout.pants("publish", "app:image", may_fail=True)
        assert refused.exit_code != 0
        assert "Run `package` with --docker-buildkit-check-layers" in refused.output
    checkout.pants("--docker-buildkit-check-layers", "publish", "app:image")


def test_a_layer_that_neither_its_registry_nor_the_builder_has_is_named_and_made_again(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    marker = repository.partition("/")[2]
    checkout = machine.checkout("checkout", image_on_image(registry, repository, busybox))
    check_layers = ("--docker-buildkit-check-layers", "package")
    base = reference(checkout.pants(*check_layers, "base:image"), "base")
    name, layer = base.partition("@")[0], layer_digests(registry, base)[-1]
    registry.delete_blob(name, layer)
    # Before a build has read the base: what one reads, its builder keeps for five minutes if it is
    # never without a build (`CancelCacheLeases` of BuildKit), and these tests share theirs.
    forget_steps(marker)
    last = checkout.pants("package", "::", may_fail=True)
    assert last.exit_code != 0
    assert f"has the layer {layer}" in last.output
    assert "Run this with --docker-buildkit-check-layers" in last.output

    # Although it was there a moment ago, and the inline cache leads to it.
    healed = checkout.pants(*check_layers, "::")
    assert healed.kinds == dict.fromkeys(TARGETS, "built")
    assert healed.reasons["base:image"] == f"lost in {name}"
    assert checkout.pants(*check_layers, "::").kinds == dict.fromkeys(TARGETS, "unchanged")


def test_an_image_that_is_another_one_when_built_again_takes_its_dependents_along(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", another_image_each_time(registry, repository, busybox))
    base = reference(checkout.pants("package", "::"), "base")
    for _ in range(2):
        registry.delete(base)
        healed = checkout.pants("package", "::")
        assert healed.kinds == dict.fromkeys(TARGETS, "built")
        assert reference(healed, "base") != base
        base = reference(healed, "base")
        layers = layer_digests(registry, base)
        assert layer_digests(registry, reference(healed, "app"))[: len(layers)] == layers
        after = checkout.pants("package", "::")
        assert after.kinds == dict.fromkeys(TARGETS, "unchanged")
        assert after.docker_calls == ()
        assert reference(after, "base") == base


def test_a_registry_that_lost_everything_is_filled_again(
    machine: Machine, own_registry: OwnRegistry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout("checkout", image_on_image(own_registry, repository, busybox))
    checkout.pants("package", "::", pantsd=True)
    own_registry.wipe()
    healed = checkout.pants("package", "::", pantsd=True)
    assert healed.kinds == dict.fromkeys(TARGETS, "built")
    for directory in ("base", "app"):
        assert own_registry.has(reference(healed, directory))
    after = checkout.pants("package", "::", pantsd=True)
    assert after.kinds == dict.fromkeys(TARGETS, "unchanged")
    assert after.docker_calls == ()


def test_what_one_machine_healed_no_other_has_to(
    machines: Machines,
    registry: Registry,
    repository: str,
    busybox: str,
    remote_cache: RemoteCache,
) -> None:
    files = another_image_each_time(registry, repository, busybox)
    first = machines.new("first", remote_cache=remote_cache).checkout("checkout", files)
    second = machines.new("second", remote_cache=remote_cache).checkout("checkout", files)
    third = machines.new("third", remote_cache=remote_cache, has_docker=False)
    lost = reference(first.pants("package", "::"), "base")
    registry.delete(lost)
    healed = second.pants("package", "::")
    assert healed.kinds == dict.fromkeys(TARGETS, "built")
    for checkout in (first, third.checkout("checkout", files)):
        run = checkout.pants("package", "::")
        assert run.docker_calls == ()
        assert "built" not in run.kinds.values()
        assert reference(run, "base") == reference(healed, "base") != lost
        assert checkout.record("app:image") == second.record("app:image")
