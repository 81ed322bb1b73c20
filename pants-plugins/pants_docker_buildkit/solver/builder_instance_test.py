from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import (
    BuildkitdConfig,
    GarbageCollection,
    RegistryConfig,
)
from pants_docker_buildkit.solver import builder_instance
from pants_docker_buildkit.solver.builder_instance import instance_name
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker

CONTAINER = BuilderDescription("ci", "docker-container", (NodeDescription("default"),), 30)
REMOTE = BuilderDescription("far", "remote", (NodeDescription("tcp://far:1"),), 1)


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin")


def test_what_makes_another_builder(docker: FakeDocker, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("one")
    trusting = BuildkitdConfig(registries=(RegistryConfig("r", ca=(str(file),)),))
    small = BuildkitdConfig(gc=GarbageCollection(max_used_space="1GB"))
    cli = docker.cli()
    names = [
        instance_name(cli, CONTAINER),
        instance_name(cli, replace(CONTAINER, nodes=(NodeDescription("other"),))),
        instance_name(cli, replace(CONTAINER, buildkitd=small)),
        instance_name(cli, replace(CONTAINER, buildkitd=trusting)),
        instance_name(docker.cli(DOCKER_HOST="ssh://other"), CONTAINER),
    ]
    file.write_text("two")
    names.append(instance_name(cli, replace(CONTAINER, buildkitd=trusting)))
    assert len(set(names)) == len(names)
    assert all(name.startswith("pants-ci-") for name in names)


def test_a_daemon_with_other_flags_is_another(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowing = replace(CONTAINER, buildkitd=BuildkitdConfig(entitlements=("security.insecure",)))
    before = instance_name(docker.cli(), allowing)
    monkeypatch.setattr(builder_instance, "render_buildkitd_flags", lambda _: ("--debug",))
    assert instance_name(docker.cli(), allowing) != before


def test_what_makes_no_other_builder(docker: FakeDocker) -> None:
    cli = docker.cli(HOME="/one", DOCKER_CONFIG="/nonexistent")
    assert instance_name(cli, replace(CONTAINER, boot_timeout=1)) == instance_name(cli, CONTAINER)
    elsewhere = docker.cli(HOME="/two", DOCKER_HOST="ssh://other", KUBECONFIG="/other")
    assert instance_name(elsewhere, REMOTE) == instance_name(cli, REMOTE)


def test_the_current_context_is_a_place_of_its_own(docker: FakeDocker, tmp_path: Path) -> None:
    before = instance_name(docker.cli(DOCKER_CONFIG=str(tmp_path)), CONTAINER)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "colima"}))
    assert instance_name(docker.cli(DOCKER_CONFIG=str(tmp_path)), CONTAINER) != before
