from __future__ import annotations

from typing import Any

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.builder_table import parse_builder_table
from pants_docker_buildkit.buildx.buildkitd_config import ClientKeyPair, RegistryConfig
from pants_docker_buildkit.options.table import InvalidTableError

CONTAINER = {"driver": "docker-container"}
TCP = {"driver": "remote", "endpoint": "tcp://far:1"}


def parse(table: Any, name: str = "ci") -> BuilderDescription:
    return parse_builder_table(name, table, lambda path: f"/repo/{path}")


def test_the_shortest_description_of_each_driver() -> None:
    assert parse({"driver": "docker"}).nodes == (NodeDescription(),)
    assert parse(CONTAINER).boot_timeout == 120
    assert parse({"driver": "kubernetes"}).nodes == (NodeDescription(),)
    assert parse({"driver": "remote", "endpoint": "unix:///run/buildkitd.sock"}) == (
        BuilderDescription("ci", "remote", (NodeDescription("unix:///run/buildkitd.sock"),), 20)
    )


def test_an_engine_is_named_by_its_context_or_by_its_address() -> None:
    assert parse({"driver": "docker", "endpoint": "colima"}).nodes[0].endpoint == "colima"
    address = "ssh://build@engine.example"
    assert parse({"driver": "docker", "endpoint": address}).nodes[0].endpoint == address


def test_files_for_tls_are_options_of_the_driver() -> None:
    (node,) = parse({**TCP, "cacert": "ca", "cert": "a.pem", "key": "a.key"}).nodes
    assert node.driver_opts == (
        ("cacert", "/repo/ca"),
        ("cert", "/repo/a.pem"),
        ("key", "/repo/a.key"),
    )


def test_a_pool_has_a_node_for_each_endpoint_and_is_waited_for_less() -> None:
    endpoints = ["tcp://a:1", "tcp://b:1"]
    table = {"driver": "remote", "endpoints": endpoints, "cacert": "ca", "max_builds": 4}
    pool = parse(table)
    assert pool.nodes == ()
    options = (("cacert", "/repo/ca"),)
    assert pool.pool == tuple(NodeDescription(each, (), options) for each in endpoints)
    assert (pool.max_builds, pool.boot_timeout) == (4, 5)


def test_a_builder_may_be_handed_out_by_a_program() -> None:
    lease = parse({"driver": "remote", "acquire": ["lease", "--new"], "release": ["lease", "rm"]})
    assert (lease.acquire, lease.release) == (("lease", "--new"), ("lease", "rm"))
    lease = parse({"driver": "remote", "acquire": ["tools/new", "a/b"], "release": ["./end"]})
    assert (lease.acquire, lease.release) == (("/repo/tools/new", "a/b"), ("/repo/./end",))
    assert lease.nodes == lease.pool == ()


@pytest.mark.parametrize(
    ("table", "setting"),
    [
        ({"endpoints": ["tcp://a:1"], "endpoint": "tcp://a:1"}, "endpoints"),
        ({"endpoints": ["tcp://a:1"], "acquire": ["x"]}, "acquire"),
        ({"endpoints": []}, "endpoints"),
        ({"endpoints": ["tcp://a:1", "tcp://a:1"]}, "endpoints"),
        ({"endpoints": ["tcp://a:1", "a"]}, "endpoints"),
        ({"endpoints": ["unix:///a"], "cacert": "ca"}, "cacert"),
        ({"acquire": []}, "acquire"),
        ({"acquire": [""]}, "acquire"),
        ({"acquire": ["x"], "release": ["", "y"]}, "release"),
        ({"release": ["x"]}, "release"),
        ({"acquire": ["x"], "max_builds": 2}, "max_builds"),
        ({"endpoint": "tcp://a:1", "max_builds": 0}, "max_builds"),
    ],
)
def test_where_endpoints_come_from_is_said_once(table: dict[str, Any], setting: str) -> None:
    with pytest.raises(InvalidTableError) as raised:
        parse({"driver": "remote", **table})
    assert raised.value.setting == setting


def test_options_of_a_node_win_over_those_of_its_builder() -> None:
    nodes = [{"endpoint": "a", "driver_opts": {"memory": 1, "network": "host"}}, {"endpoint": "b"}]
    parsed = parse({**CONTAINER, "driver_opts": {"memory": "2g"}, "nodes": nodes}).nodes
    assert [node.driver_opts for node in parsed] == [
        (("memory", "1"), ("network", "host")),
        (("memory", "2g"),),
    ]


def test_files_of_a_daemon_are_found_from_the_same_place() -> None:
    registries = {"r:1": {"ca": ["ca"], "keypair": [{"cert": "c", "key": "k"}], "http": "false"}}
    parsed = parse({**CONTAINER, "registries": registries}).buildkitd
    assert parsed is not None
    assert parsed.registries == (
        RegistryConfig(
            "r:1", http=False, ca=("/repo/ca",), keypair=(ClientKeyPair("/repo/c", "/repo/k"),)
        ),
    )
    assert (
        parse({**CONTAINER, "buildkitd_config": "b.toml"}).buildkitd_config_file == "/repo/b.toml"
    )


DRIVER = 'be one of "docker", "docker-container", "kubernetes", "remote"'
ADDRESS = (
    'be the address of a BuildKit, such as "unix:///run/buildkit/buildkitd.sock",'
    ' "tcp://buildkit.example:1234" or "ssh://build@buildkit.example"'
)
SECONDS = "be a whole number of seconds above 0"


@pytest.mark.parametrize(
    ("table", "setting", "requirement", "finding"),
    [
        ("remote", "", 'be a table, as {name = "value"}', "is 'remote'"),
        ({}, "driver", DRIVER, "it is missing"),
        ({"driver": "podman"}, "driver", DRIVER, "is 'podman'"),
        ({"driver": 1}, "driver", "be a text", "is 1"),
        (
            {"driver": "docker", "platforms": []},
            "",
            "only have the settings `driver`, `endpoint`, `max_builds` with the driver 'docker'",
            "has `platforms`",
        ),
        (
            {"driver": "kubernetes", "endpoint": "x", "nodes": []},
            "",
            "only have the settings `boot_timeout`, `buildkitd_config`, `driver`, `driver_opts`,"
            " `entitlements`, `gc`, `max_builds`, `nodes`, `platforms`, `registries` with the"
            " driver 'kubernetes'",
            "has `endpoint`",
        ),
        (
            {**TCP, "gc": {}},
            "",
            "only have the settings `acquire`, `boot_timeout`, `cacert`, `cert`, `driver`,"
            " `driver_opts`, `endpoint`, `endpoints`, `key`, `max_builds`, `nodes`, `platforms`,"
            " `release` with the driver 'remote'",
            "has `gc`",
        ),
        ({"driver": "remote"}, "endpoint", ADDRESS, "it is missing"),
        ({"driver": "remote", "endpoint": "far:1"}, "endpoint", ADDRESS, "is 'far:1'"),
        (
            {"driver": "remote", "endpoint": "unix:///s", "cacert": "ca"},
            "cacert",
            'stand beside an `endpoint` with "tcp://"',
            "that is 'unix:///s'",
        ),
        ({**TCP, "cacert": "ca", "cert": "c"}, "cert", "stand beside `key`", "there is no `key`"),
        ({**TCP, "cacert": "ca", "key": "k"}, "key", "stand beside `cert`", "there is no `cert`"),
        (
            {**TCP, "cert": "c", "key": "k"},
            "cert",
            "stand beside `cacert`",
            "there is no `cacert`",
        ),
        (
            {**TCP, "nodes": [TCP]},
            "endpoint",
            "stand in the entries of `nodes`",
            "stands beside `nodes`",
        ),
        ({**CONTAINER, "nodes": []}, "nodes", "have an entry for each node", "is empty"),
        ({**CONTAINER, "nodes": 2}, "nodes", "be a list of tables", "is 2"),
        (
            {**CONTAINER, "nodes": ["a"]},
            "nodes[0]",
            'be a table, as {name = "value"}',
            "is 'a'",
        ),
        (
            {**CONTAINER, "nodes": [{"endpoint": "a"}, {"endpoint": "a"}]},
            "nodes",
            "each have an `endpoint` of its own",
            "two have 'a'",
        ),
        (
            {**CONTAINER, "nodes": [{}, {}]},
            "nodes",
            "each have an `endpoint` of its own",
            "two have none",
        ),
        (
            {**CONTAINER, "nodes": [{"name": "a"}]},
            "nodes[0]",
            "only have the settings `driver_opts`, `endpoint`, `platforms` with the driver"
            " 'docker-container'",
            "has `name`",
        ),
        (
            {**CONTAINER, "platforms": ["amd64"]},
            "platforms",
            'list platforms such as "linux/arm64"',
            "has 'amd64'",
        ),
        (
            {**CONTAINER, "platforms": "linux/amd64"},
            "platforms",
            'be a list of texts, as ["one", "two"]',
            None,
        ),
        ({**CONTAINER, "driver_opts": {"image": []}}, "driver_opts.image", "be a text", "is []"),
        (
            {**CONTAINER, "driver_opts": {"env.HTTP_PROXY": "http://me:secret@proxy"}},
            "driver_opts.env.HTTP_PROXY",
            "hold no password",
            "has one, which buildx would write to its configuration",
        ),
        (
            {"driver": "remote", "endpoints": ["tcp://me:secret@far:1"]},
            "endpoints",
            "each hold no password",
            "has one, which buildx would write to its configuration",
        ),
        ({**CONTAINER, "boot_timeout": 0}, "boot_timeout", SECONDS, "is 0"),
        ({**CONTAINER, "boot_timeout": "1m"}, "boot_timeout", SECONDS, "is '1m'"),
        (
            {**CONTAINER, "buildkitd_config": "b.toml", "gc": {}},
            "buildkitd_config",
            "not stand beside `gc`",
            "it does. The file has to hold both",
        ),
        (
            {**CONTAINER, "gc": {"max_used_space": "much"}},
            "gc.max_used_space",
            'be a size such as "10GB" or "20%"',
            "is 'much'",
        ),
        ({**CONTAINER, "gc": {"enabled": 1}}, "gc.enabled", "be true or false", "is 1"),
        (
            {**CONTAINER, "gc": {"keep": 1}},
            "gc",
            "only have the settings `enabled`, `max_used_space`, `min_free_space`,"
            " `reserved_space`",
            "has `keep`",
        ),
        (
            {**CONTAINER, "registries": {"r": {"http": True, "insecure": True}}},
            "registries.r.insecure",
            "not be true beside `http`",
            "plain HTTP has no certificates",
        ),
        (
            {**CONTAINER, "registries": {"r": {"keypair": [{"key": "k"}]}}},
            "registries.r.keypair[0].cert",
            "be a text",
            "it is missing",
        ),
        (
            {**CONTAINER, "entitlements": [1]},
            "entitlements",
            'be a list of texts, as ["one", "two"]',
            "is [1]",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    table: Any, setting: str, requirement: str, finding: str | None
) -> None:
    with pytest.raises(InvalidTableError) as raised:
        parse(table)
    error = raised.value
    assert (error.setting, error.requirement) == (setting, requirement)
    assert finding in (None, error.finding)
    assert "secret" not in str(error)


@pytest.mark.parametrize("name", ["CI", "1st", "a_b", "a" * 31, ""])
def test_a_name_must_be_good_for_containers_and_deployments(name: str) -> None:
    with pytest.raises(InvalidTableError, match="up to 30 lowercase letters, digits and"):
        parse(CONTAINER, name)
