from __future__ import annotations

from dataclasses import replace

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import BuildkitdConfig, RegistryConfig
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.push_rehearsals import PushedKind, PushedName
from pants_docker_buildkit.solver.build_repositories import (
    build_repositories,
    daemon_images,
    mirror_references,
    pushed_names,
)
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob, PinnedSource

BASE = PinnedSource.image(
    "docker.io/library/python:3", f"docker.io/library/python:3@sha256:{'b' * 64}"
)
DOWNLOAD = PinnedSource("https://download.example/a", "https://download.example/a", "sha256:0")
DEFINITION = BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), "registry")
JOB = BuildJob(
    "blake3:" + "1" * 64, replace(DEFINITION, sources=(BASE, DOWNLOAD)), ("ghcr.io/org/app",)
)
SETTINGS = BuildSettings("src/app:image", cache_from=("type=registry,ref=cache.example/app",))
NAMED = {
    "ghcr.io": "org/app",
    "docker.io": "library/python",
    "cache.example": "app",
}


def test_what_a_build_names_is_what_it_may_log_in_to() -> None:
    assert build_repositories(JOB, SETTINGS) == NAMED


def test_a_layout_is_pushed_nowhere() -> None:
    job = replace(JOB, definition=replace(JOB.definition, output="oci"))
    assert "ghcr.io" not in build_repositories(job, SETTINGS)


def test_all_that_a_build_pushes_to_is_known_with_the_account_that_buildkit_has_there() -> None:
    caches = (
        "type=registry,ref=ghcr.io/org/cache:app",
        "type=registry,ref=cache.example/app,ignore-error=true",
        "type=local,dest=/tmp/cache",
    )
    settings = replace(SETTINGS, cache_to=caches)
    cache = PushedName(PushedKind.CACHE, "ghcr.io", "org/cache", "org/app")
    image = PushedName(PushedKind.IMAGE, "ghcr.io", "org/app", "org/app")
    assert tuple(pushed_names(JOB, settings)) == (image, cache)
    layout = replace(JOB, definition=replace(JOB.definition, output="oci"))
    assert tuple(pushed_names(layout, settings)) == (cache._replace(account="org/cache"),)


@pytest.mark.parametrize(
    ("text", "may_fail"), [("1", True), ("True", True), ("0", False), ("yes", False), ("", False)]
)
def test_a_cache_may_fail_where_buildkit_says_so(text: str, *, may_fail: bool) -> None:
    cache = f"type=registry,ref=cache.example/app,ignore-error={text}"
    pushed = pushed_names(JOB, replace(SETTINGS, cache_to=(cache,)))
    assert [each.kind for each in pushed] == ["image"] + ([] if may_fail else ["cache"])


def test_a_described_builder_may_log_in_to_its_mirrors_and_to_where_its_image_is() -> None:
    hub = RegistryConfig("docker.io", ("mirror.example/hub", "ghcr.io/hub"))
    unused = RegistryConfig("quay.io", ("unused.example",))
    node = NodeDescription("default", (), (("image", "images.example/buildkit:1"),))
    described = BuilderDescription(
        "ci", "docker-container", (node,), 120, BuildkitdConfig((hub, unused))
    )
    assert build_repositories(JOB, replace(SETTINGS, described_builder=described)) == {
        **NAMED,
        "mirror.example": "hub/library/python",
        "images.example": "buildkit",
    }


def test_a_container_has_the_image_that_is_set_or_buildx_own() -> None:
    nodes = (NodeDescription("a", (), (("image", "mirror/buildkit:1"),)), NodeDescription("b"))
    described = BuilderDescription("ci", "docker-container", nodes, 120)
    assert list(daemon_images(described)) == ["mirror/buildkit:1", "moby/buildkit"]


def test_pods_pull_with_the_clusters_credentials() -> None:
    described = BuilderDescription("ci", "kubernetes", (NodeDescription(),), 120)
    assert list(daemon_images(described)) == []


def test_mirrors_are_asked_for_what_their_registry_is_asked_for() -> None:
    hub = RegistryConfig("docker.io", ("mirror.example", "harbor.example/hub/"))
    other = RegistryConfig("quay.io", ("mirror.example",))
    described = BuilderDescription(
        "ci", "docker-container", (NodeDescription(),), 120, BuildkitdConfig((hub, other))
    )
    assert list(mirror_references(described, {"docker.io": "library/python"})) == [
        "mirror.example/library/python",
        "harbor.example/hub/library/python",
    ]


def test_a_builder_that_is_configured_elsewhere_has_no_mirrors_that_are_known() -> None:
    described = BuilderDescription("ci", "remote", (NodeDescription("unix:///s"),), 20)
    assert list(mirror_references(described, {"docker.io": "library/python"})) == []
