from __future__ import annotations

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.builder_registries import daemon_images, mirror_references
from pants_docker_buildkit.buildx.buildkitd_config import BuildkitdConfig, RegistryConfig


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
