from __future__ import annotations

from pathlib import Path

import pytest
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import (
    BuildkitdConfig,
    GarbageCollection,
    RegistryConfig,
)
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.builders import DescribedBuilders

OPTIONS = """
[docker-buildkit.builders.ci]
driver = "docker-container"
boot_timeout = 60
driver_opts = { image = "moby/buildkit:v0.25.1", default-load = true }
platforms = ["linux/amd64"]
entitlements = ["network.host"]

[docker-buildkit.builders.ci.gc]
enabled = true
max_used_space = "20GB"
min_free_space = 1000000

[docker-buildkit.builders.ci.registries."docker.io"]
mirrors = ["mirror.example:5000"]

[docker-buildkit.builders.ci.registries."mirror.example:5000"]
ca = ["certs/ca.pem"]
insecure = false

[docker-buildkit.builders.farm]
driver = "remote"
driver_opts = { servername = "buildkit.example" }

[[docker-buildkit.builders.farm.nodes]]
endpoint = "tcp://amd64.example:1234"
platforms = ["linux/amd64"]
cacert = "~/ca.pem"
cert = "/etc/client.pem"
key = "/etc/client.key"

[[docker-buildkit.builders.farm.nodes]]
endpoint = "ssh://build@arm64.example"
platforms = ["linux/arm64"]
"""


@pytest.fixture
def runner() -> ImageRunner:
    query = QueryRule(DescribedBuilders, ())
    return ImageRunner(create_rule_runner(rules=(query,)))


def described(runner: ImageRunner, config: str) -> DescribedBuilders:
    runner.write({"options.toml": config})
    path = Path(runner.runner.build_root, "options.toml")
    runner.runner.set_options([f"--pants-config-files=['{path}']"], env={"HOME": "/home/user"})
    return runner.runner.request(DescribedBuilders, ())


def failure(runner: ImageRunner, config: str) -> str:
    with pytest.raises(ExecutionError) as raised:
        described(runner, config)
    return "\n".join(str(each) for each in raised.value.wrapped_exceptions)


def test_builders_are_described_in_a_config_file(runner: ImageRunner) -> None:
    builders = described(runner, OPTIONS)
    root = runner.runner.build_root
    assert builders.find("ci") == BuilderDescription(
        name="ci",
        driver="docker-container",
        nodes=(
            NodeDescription(
                platforms=("linux/amd64",),
                driver_opts=(("default-load", "true"), ("image", "moby/buildkit:v0.25.1")),
            ),
        ),
        boot_timeout=60,
        buildkitd=BuildkitdConfig(
            registries=(
                RegistryConfig("docker.io", mirrors=("mirror.example:5000",)),
                RegistryConfig("mirror.example:5000", insecure=False, ca=(f"{root}/certs/ca.pem",)),
            ),
            gc=GarbageCollection(enabled=True, max_used_space="20GB", min_free_space="1000000"),
            entitlements=("network.host",),
        ),
    )
    name = ("servername", "buildkit.example")
    assert builders.find("farm") == BuilderDescription(
        name="farm",
        driver="remote",
        nodes=(
            NodeDescription(
                "tcp://amd64.example:1234",
                ("linux/amd64",),
                (
                    ("cacert", "/home/user/ca.pem"),
                    ("cert", "/etc/client.pem"),
                    ("key", "/etc/client.key"),
                    name,
                ),
            ),
            NodeDescription("ssh://build@arm64.example", ("linux/arm64",), (name,)),
        ),
        boot_timeout=20,
    )
    assert builders.find("default") is None
    assert builders.find(None) is None


def test_an_option_that_cannot_be_is_named_with_what_it_must_hold(runner: ImageRunner) -> None:
    assert failure(runner, OPTIONS.replace('"~/ca.pem"', "1")) == (
        "The option `[docker-buildkit].builders.farm.nodes[0].cacert` must be a text, but is 1."
    )


def test_a_builder_without_settings_is_named(runner: ImageRunner) -> None:
    assert failure(runner, "[docker-buildkit.builders]\nci = 'remote'\n") == (
        'The option `[docker-buildkit].builders.ci` must be a table, as {name = "value"}, but'
        " is 'remote'."
    )
