from __future__ import annotations

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import BuildkitdConfig
from pants_docker_buildkit.buildx.create_command import render_create_arguments


def commands(description: BuilderDescription, config_file: str | None = None) -> list[str]:
    calls = render_create_arguments(description, "pants-ci-0123abcd", config_file)
    return [" ".join(call) for call in calls]


def test_a_container_of_the_current_engine() -> None:
    node = NodeDescription(driver_opts=(("image", "moby/buildkit"), ("network", "host")))
    description = BuilderDescription("ci", "docker-container", (node,), 120)
    assert commands(description, "/cache/buildkitd.toml") == [
        "buildx create --name pants-ci-0123abcd --node pants-ci-0123abcd0 --driver docker-container"
        " --driver-opt image=moby/buildkit --driver-opt network=host"
        " --buildkitd-config /cache/buildkitd.toml"
    ]


def test_daemons_are_told_by_flags_what_targets_may_ask_for() -> None:
    daemons = BuildkitdConfig(entitlements=("security.insecure", "network.host"))
    description = BuilderDescription("ci", "kubernetes", (NodeDescription(),), 120, daemons)
    (call,) = render_create_arguments(description, "pants-ci-0123abcd", "/cache/buildkitd.toml")
    assert call[-4:] == (
        *("--buildkitd-config", "/cache/buildkitd.toml", "--buildkitd-flags"),
        "--allow-insecure-entitlement=security.insecure --allow-insecure-entitlement=network.host",
    )


def test_containers_of_several_engines() -> None:
    nodes = (
        NodeDescription("default", ("linux/amd64", "linux/386")),
        NodeDescription("ssh://build@arm64.example", ("linux/arm64",)),
    )
    assert commands(BuilderDescription("ci", "docker-container", nodes, 120)) == [
        "buildx create --name pants-ci-0123abcd --node pants-ci-0123abcd0 --driver docker-container"
        " --platform linux/amd64,linux/386 default",
        "buildx create --name pants-ci-0123abcd --node pants-ci-0123abcd1 --append"
        " --driver docker-container --platform linux/arm64 ssh://build@arm64.example",
    ]


def test_a_remote_builder_with_certificates() -> None:
    tls = (("cacert", "/ca.pem"), ("cert", "/c.pem"), ("key", "/c.key"))
    node = NodeDescription("tcp://buildkit.example:1234", (), tls)
    assert commands(BuilderDescription("ci", "remote", (node,), 20)) == [
        "buildx create --name pants-ci-0123abcd --node pants-ci-0123abcd0 --driver remote"
        " --driver-opt cacert=/ca.pem --driver-opt cert=/c.pem --driver-opt key=/c.key"
        " tcp://buildkit.example:1234"
    ]


def test_pods_of_a_cluster_have_no_endpoint() -> None:
    node = NodeDescription(driver_opts=(("namespace", "buildkit"), ("replicas", "2")))
    assert commands(BuilderDescription("ci", "kubernetes", (node,), 120)) == [
        "buildx create --name pants-ci-0123abcd --node pants-ci-0123abcd0 --driver kubernetes"
        " --driver-opt namespace=buildkit --driver-opt replicas=2"
    ]


def test_a_value_with_a_comma_stays_one() -> None:
    node = NodeDescription(driver_opts=(("nodeselector", "a=b,c=d"),))
    (call,) = render_create_arguments(
        BuilderDescription("ci", "kubernetes", (node,), 120), "pants-ci-0123abcd", None
    )
    assert call[call.index("--driver-opt") + 1] == '"nodeselector=a=b,c=d"'
