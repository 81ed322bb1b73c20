from __future__ import annotations

import pytest

from pants_docker_buildkit.buildx.builder import (
    InvalidBuilderError,
    all_nodes_run,
    parse_builder,
    parse_node_statuses,
)
from pants_docker_buildkit.buildx.deployments import Deployment

# What `docker buildx inspect` of buildx 0.29 prints, shortened.
ENGINE = """\
Name:          default
Driver:        docker
Last Activity: 2026-11-21 15:44:22 +0000 UTC

Nodes:
Name:             colima
Endpoint:         colima
Status:           running
BuildKit version: v0.25.1
Platforms:        linux/amd64, linux/arm64
Labels:
 org.mobyproject.buildkit.worker.containerd.namespace: moby
 org.mobyproject.buildkit.worker.executor:             containerd
GC Policy rule#0:
 All:            false
"""
OLD_STORE = """\
Name:   default
Driver: docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.23.2
Platforms:        linux/amd64, linux/386
Labels:
 org.mobyproject.buildkit.worker.moby.host-gateway-ip: 172.17.0.1
"""
UNREACHABLE = """\
Name:          default
Driver:
Last Activity: 2026-11-21 15:44:22 +0000 UTC
Error:         Cannot connect to the Docker daemon at unix:///nowhere.sock. Is it running?
"""
REMOTE = """\
Name:          far
Driver:        remote
Last Activity: 2026-11-21 15:45:12 +0000 UTC

Nodes:
Name:     far0
Endpoint: tcp://buildkit.example:1234
Status:   inactive
"""


def test_engine_is_a_builder_of_the_docker_driver() -> None:
    builder = parse_builder(ENGINE)
    assert (builder.name, builder.driver, builder.is_running) == ("default", "docker", True)
    assert builder.endpoint == "colima"
    assert builder.is_docker_engine
    assert builder.has_containerd_store
    assert builder.problem is None


def test_each_node_that_runs_has_a_version_of_buildkit() -> None:
    assert parse_builder(ENGINE).buildkit_versions == ("v0.25.1",)
    assert parse_builder(REMOTE).buildkit_versions == ()
    nodes = "Name: a0\nBuildkit: v0.11.6\nName: a1\nBuildKit version: v0.12.0\n"
    assert parse_builder(f"Name: a\n\nNodes:\n{nodes}").buildkit_versions == ("v0.11.6", "v0.12.0")


def test_engine_without_the_containerd_store_is_told_from_one_with_it() -> None:
    assert not parse_builder(OLD_STORE).has_containerd_store


def test_an_engine_says_where_its_machine_is_for_steps() -> None:
    assert parse_builder(OLD_STORE).host_gateway == "172.17.0.1"
    assert parse_builder(ENGINE).host_gateway is None


CONTAINERS = """\
Name:   mine
Driver: docker-container

Nodes:
Name:           mine0
Endpoint:       unix:///var/run/docker.sock
Driver Options: env.A="b" image="mirror.example/moby/buildkit:v0.25.1"
Status:         inactive

Name:     mine1
Endpoint: tcp://far.example
Status:   inactive

Name:           mine2
Endpoint:       tcp://farther.example
Driver Options: image="other.example/buildkit"
Status:         running
"""


def test_the_images_of_containers_are_those_that_are_still_to_be_pulled() -> None:
    images = ("mirror.example/moby/buildkit:v0.25.1", "moby/buildkit")
    assert parse_builder(CONTAINERS).images == images
    assert parse_builder(CONTAINERS.replace("inactive", "running")).images == ()
    assert parse_builder(REMOTE).images == ()


def test_engine_that_does_not_answer_has_a_problem_and_no_driver() -> None:
    builder = parse_builder(UNREACHABLE)
    assert builder.driver == ""
    assert builder.problem is not None
    assert builder.problem.startswith("Cannot connect to the Docker daemon at unix:///nowhere.sock")


def test_remote_builder_is_not_an_engine() -> None:
    builder = parse_builder(REMOTE)
    assert not builder.is_docker_engine
    assert builder.endpoint == "tcp://buildkit.example:1234"


def test_name_of_a_builder_is_not_that_of_its_node() -> None:
    assert parse_builder(REMOTE).name == "far"


@pytest.mark.parametrize("text", ["", "no builder here", "Driver: docker\n"])
def test_output_without_a_builder_is_refused(text: str) -> None:
    with pytest.raises(InvalidBuilderError, match="named no Name"):
        parse_builder(text)


TWO_NODES = """\
Name:   farm
Driver: remote

Nodes:
Name:     farm0
Endpoint: tcp://amd64.example:1234
Status:   running

Name:     farm1
Endpoint: tcp://arm64.example:1234
Status:   {status}
"""


PODS = """\
Name:          cluster
Driver:        kubernetes

Nodes:
Name:             cluster0
Endpoint:         kubernetes:///cluster?deployment=cluster0&kubeconfig=
Driver Options:   image="buildkit:1" namespace="build" replicas="2"
Status:           running
BuildKit version: v0.25.1
Platforms:        linux/amd64, linux/arm64

Name:             cluster0
Endpoint:         kubernetes:///cluster?deployment=cluster0&kubeconfig=
Driver Options:   image="buildkit:1" namespace="build" replicas="2"
Status:           running
BuildKit version: v0.25.1
Platforms:        linux/amd64, linux/arm64
"""


def test_the_pods_of_a_deployment_are_one_node() -> None:
    builder = parse_builder(PODS)
    assert builder.node_platforms == (("linux/amd64", "linux/arm64"),)
    assert builder.other_endpoints == ()
    assert parse_node_statuses(PODS) == ("running",)


def test_the_deployment_of_a_node_is_in_its_namespace() -> None:
    assert parse_builder(PODS).deployments == (Deployment("cluster0", "build"),)
    elsewhere = parse_builder(PODS.replace(' namespace="build"', ""))
    assert elsewhere.deployments == (Deployment("cluster0", None),)
    assert parse_builder(CONTAINERS).deployments == ()


def test_each_node_has_a_status() -> None:
    assert parse_node_statuses(TWO_NODES.format(status="inactive")) == ("running", "inactive")


def test_a_builder_runs_when_all_its_nodes_do() -> None:
    assert all_nodes_run(TWO_NODES.format(status="running"))
    assert not all_nodes_run(TWO_NODES.format(status="inactive"))
    assert not all_nodes_run("")


@pytest.mark.parametrize("order", [("inactive", "running"), ("running", "inactive")])
def test_a_builder_is_used_where_one_of_its_nodes_runs(order: tuple[str, str]) -> None:
    text = TWO_NODES.replace("running", order[0]).format(status=order[1])
    assert parse_builder(text).is_running
    assert parse_builder(text).other_endpoints == ("tcp://arm64.example:1234",)
    assert not parse_builder(text.replace("running", "inactive")).is_running


def test_a_problem_of_a_node_is_one_of_the_builder_where_each_node_has_one() -> None:
    running, broken = "Name: a0\nStatus: running\n", "Name: a1\nError: no certificate\n"
    for nodes in (running + broken, broken + running):
        builder = parse_builder(f"Name: a\nDriver: remote\n\nNodes:\n{nodes}")
        assert builder.problem is None
        assert len(builder.node_platforms) == 1
    text = f"Name: a\nDriver: remote\n\nNodes:\n{broken}{broken}"
    assert parse_builder(text).problem == "no certificate"


def test_a_node_that_says_nothing_is_inactive() -> None:
    assert parse_node_statuses("Name: a\n\nNodes:\nName: a0\nError: no\n") == ("inactive",)
