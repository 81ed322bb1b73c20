"""A base image is redirected, or bumped, in one place: the recipe of the guides."""

from __future__ import annotations

from tests.integration.workbench.base_image import move_tag
from tests.integration.workbench.engine import run_image
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry


def test_the_defaults_of_the_root_redirect_a_base_of_all_dockerfiles(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    pinned = f"{busybox.rpartition(':')[0]}@{registry.digest(busybox)}"
    name = "python:3.12"
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "BUILD": "__defaults__({docker_buildkit_image: dict(build_contexts={"
        f"'{name}': 'docker-image://{pinned}'}})}})",
    }
    for each in ("one", "two"):
        files[f"{each}/BUILD"] = "docker_buildkit_image(name='image')"
        files[f"{each}/Dockerfile"] = f"FROM {name}\nRUN echo {repository} > /{each}\n"
    checkout = machine.checkout("checkout", files)
    run = checkout.pants("package", "::")
    assert run.kinds == {"one:image": "built", "two:image": "built"}
    for each in ("one", "two"):
        (reference,) = run.outcomes[f"{each}/image.image.json"].references
        assert run_image(reference, "cat", f"/{each}") == f"{repository}\n"

    checkout.replace("BUILD", f"docker-image://{pinned}", "base:image")
    checkout.write(
        {
            "base/BUILD": "docker_buildkit_image(name='image', build_contexts={})",
            "base/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /own\n",
        }
    )
    run = checkout.pants("package", "::")
    assert set(run.kinds.values()) == {"built"}
    (reference,) = run.outcomes["one/image.image.json"].references
    assert run_image(reference, "cat", "/own") == f"{repository}\n"


def test_a_tag_in_build_contexts_is_followed_and_locked_as_one_in_a_dockerfile(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    tag = f"{registry.address}/{repository}/tools:1"
    move_tag(tag, busybox)
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image',"
            f" build_contexts={{'base': 'docker-image://{tag}'}})",
            "app/Dockerfile": f"FROM base\nLABEL a={repository}\n",
        },
    )
    checkout.pants("package", "::")
    assert checkout.pants("package", "::").kinds == {"app:image": "unchanged"}
    assert checkout.pants("lint", "::").exit_code == 0
    checkout.pants("generate-lockfiles", "--resolve=docker-images")
    move_tag(tag, busybox, "LABEL moved=yes")
    frozen = {"PANTS_DOCKER_BUILDKIT_BASE_IMAGES": "frozen"}
    assert checkout.pants("package", "::", env=frozen).kinds == {"app:image": "unchanged"}
    run = checkout.pants("package", "::")
    assert f"{tag} moved from" in run.reasons["app:image"]
    (reference,) = run.outcomes["app/image.image.json"].references
    assert registry.config(reference)["config"]["Labels"]["moved"] == "yes"


def test_a_registry_that_nobody_reaches_is_read_at_its_mirror_and_shares_records(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    # Nobody listens there, and `--from` and a pinned name go the same way.
    there = f"registry.invalid/{busybox.partition('/')[2]}"
    pinned = f"{there.rpartition(':')[0]}@{registry.digest(busybox)}"
    settings = repository_settings(registry.address, repository)
    mirrors = f'[docker-buildkit.mirrors]\n"registry.invalid" = "{registry.address}"\n'
    files = {
        "pants.toml": settings + mirrors,
        "app/BUILD": "docker_buildkit_image(name='image', platforms=['linux/amd64', 'linux/arm64'],"
        f" build_contexts={{'named': 'docker-image://{there}'}})",
        "app/Dockerfile": f"FROM {there}\nRUN echo {repository} > /app\n"
        f"COPY --from={pinned} /bin/busybox /copied\n"
        "COPY --from=named /bin/busybox /named\n",
    }
    run = machine.checkout("checkout", files).pants("package", "::")
    assert run.kinds == {"app:image": "built"}
    record = machine.checkout("other", files).pants("package", "::")
    assert record.docker_calls == ()

    unmirrored = machine.checkout("unmirrored", {**files, "pants.toml": settings})
    failed = unmirrored.pants("package", "::", may_fail=True)
    assert f"The base image {there}" in failed.output
