"""Builders, nodes and drivers, from the output of `docker buildx inspect`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from pants_docker_buildkit.buildx.deployments import Deployment


class InvalidBuilderError(ValueError):
    """`docker buildx inspect` printed something else than a builder."""


BUILDKIT_IMAGE = "moby/buildkit"
"""What a `docker-container` builder runs that names no other image."""

# buildx before 0.12 writes `Buildkit:`.
_BUILDKIT_VERSION = re.compile(r"(?im)^buildkit(?: version)?:[ \t]*(\S+)")
_NAMESPACE = re.compile(r'(?:^| )namespace="([^"]+)"')
_DRIVER_IMAGE = re.compile(r'\bimage="([^"]+)"')
_HOST_GATEWAY_LABEL = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"
_CONTAINERD_LABEL = "org.mobyproject.buildkit.worker.containerd.namespace"


@dataclass(frozen=True)
class Builder:
    """A named set of BuildKit nodes, all run by one driver.

    `driver` is `docker`, `docker-container`, `kubernetes`, `remote`, or one yet to come. `endpoint`
    is that of the first node: for `docker` it is the name of a Docker context. `is_running` tells
    that a node runs. `problem` is why the builder cannot be used now, if none of its nodes can.
    `node_platforms` are the platforms of each node as buildx spells them, none of one that is not
    booted, and `buildkit_versions` what those run that are booted. `host_gateway` is the address of
    a Docker Engine's machine for its steps. `images` are those that buildx pulls to boot nodes of
    the driver `docker-container` that do not run. `other_endpoints` are those of further nodes.
    `deployments` are those of the nodes of the driver `kubernetes`.
    `described` is what messages call one that the options describe, whose `name` is made up.
    """

    name: str
    driver: str
    endpoint: str
    is_running: bool
    has_containerd_store: bool
    problem: Optional[str] = None
    node_platforms: tuple[tuple[str, ...], ...] = ()
    buildkit_versions: tuple[str, ...] = ()
    host_gateway: Optional[str] = None
    images: tuple[str, ...] = ()
    other_endpoints: tuple[str, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    described: Optional[str] = None

    @property
    def called(self) -> str:
        """What its user knows it by."""
        return self.described or self.name

    @property
    def is_docker_engine(self) -> bool:
        """Whether the BuildKit inside a Docker Engine builds."""
        return self.driver == "docker"

    @property
    def is_of_context(self) -> bool:
        """Whether nobody created it: buildx has one for the engine of each Docker context."""
        return self.name == self.endpoint


def parse_builder(text: str) -> Builder:
    """The builder that `docker buildx inspect` describes in `text`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator:
            # The first `Name` is the builder's; those of its nodes come later.
            found.setdefault(key.strip(), value.strip())
    nodes = _parse_nodes(text)
    # buildx leaves out a node that has a problem.
    platforms = (each.get("Platforms", "").split(",") for each in nodes if "Error" not in each)
    try:
        return Builder(
            name=found["Name"],
            driver=found.get("Driver", ""),
            endpoint=found.get("Endpoint", ""),
            is_running=any_node_runs(text),
            has_containerd_store=_CONTAINERD_LABEL in found,
            problem=_find_problem(text, nodes),
            node_platforms=tuple(tuple(filter(None, map(str.strip, each))) for each in platforms),
            buildkit_versions=tuple(_BUILDKIT_VERSION.findall(text)),
            host_gateway=found.get(_HOST_GATEWAY_LABEL),
            images=_parse_images(nodes) if found.get("Driver") == "docker-container" else (),
            other_endpoints=tuple(each.get("Endpoint", "") for each in nodes[1:]),
            deployments=_parse_deployments(nodes) if found.get("Driver") == "kubernetes" else (),
        )
    except KeyError as e:
        raise InvalidBuilderError(f"docker buildx inspect named no {e.args[0]}.") from e


def _find_problem(text: str, nodes: list[dict[str, str]]) -> str | None:
    """What is said of the builder itself, or else of its first node, if each has a problem."""
    head = re.search(r"(?m)^Error:(.*)", text.partition("\nNodes:")[0])
    if head is not None:
        return head[1].strip()
    problems = [each.get("Error") for each in nodes]
    return problems[0] if problems and None not in problems else None


def _parse_nodes(text: str) -> list[dict[str, str]]:
    """What is said of each node, in order, from the same text.

    A deployment of the driver `kubernetes` is one node, which buildx lists once for each pod.
    """
    nodes = re.split(r"(?m)^(?=Name:)", text.partition("\nNodes:")[2])[1:]
    pairs = ((line.partition(":") for line in node.splitlines()) for node in nodes)
    found = [{key: value.strip() for key, _, value in each} for each in pairs]
    return list({each["Name"]: each for each in found}.values())


def _parse_images(nodes: list[dict[str, str]]) -> tuple[str, ...]:
    """The images of nodes that do not run."""
    stopped = (each for each in nodes if each.get("Status") != "running")
    found = (_DRIVER_IMAGE.search(each.get("Driver Options", "")) for each in stopped)
    return tuple(dict.fromkeys(image[1] if image else BUILDKIT_IMAGE for image in found))


def _parse_deployments(nodes: list[dict[str, str]]) -> tuple[Deployment, ...]:
    """What runs the pods of each node."""
    found = ((each["Name"], _NAMESPACE.search(each.get("Driver Options", ""))) for each in nodes)
    return tuple(Deployment(name, namespace and namespace[1]) for name, namespace in found)


def parse_node_statuses(text: str) -> tuple[str, ...]:
    """The status of each node, in order, from the same text. An unknown one is `inactive`."""
    return tuple(each.get("Status", "inactive") for each in _parse_nodes(text))


def any_node_runs(text: str) -> bool:
    """Whether one of the nodes is `running`: buildx builds there, whatever became of the others."""
    return "running" in parse_node_statuses(text)


def all_nodes_run(text: str) -> bool:
    """Whether there are nodes, and all of them are `running`."""
    statuses = parse_node_statuses(text)
    return bool(statuses) and all(status == "running" for status in statuses)
