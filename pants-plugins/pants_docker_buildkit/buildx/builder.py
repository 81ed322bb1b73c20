"""Builders, nodes and drivers, from the output of `docker buildx inspect`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional


class InvalidBuilderError(ValueError):
    """`docker buildx inspect` printed something else than a builder."""


BUILDKIT_IMAGE = "moby/buildkit"
"""What a `docker-container` builder runs that names no other image."""

# buildx before 0.12 writes `Buildkit:`.
_BUILDKIT_VERSION = re.compile(r"(?im)^buildkit(?: version)?:[ \t]*(\S+)")
_DRIVER_IMAGE = re.compile(r'\bimage="([^"]+)"')
_HOST_GATEWAY_LABEL = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"
_CONTAINERD_LABEL = "org.mobyproject.buildkit.worker.containerd.namespace"


@dataclass(frozen=True)
class Builder:
    """A named set of BuildKit nodes, all run by one driver.

    `driver` is `docker`, `docker-container`, `kubernetes`, `remote`, or one yet to come. `endpoint`
    and `status` are those of the first node: for `docker` the endpoint is the name of a Docker
    context. `problem` is why the builder cannot be used now, if it cannot. `node_platforms` are the
    platforms of each node as buildx spells them, none of one that is not booted, and
    `buildkit_versions` what those run that are booted. `host_gateway` is the address of a Docker
    Engine's machine for its steps. `images` are those that buildx pulls to boot nodes of the driver
    `docker-container` that do not run.
    """

    name: str
    driver: str
    endpoint: str
    status: str
    has_containerd_store: bool
    problem: Optional[str] = None
    node_platforms: tuple[tuple[str, ...], ...] = ()
    buildkit_versions: tuple[str, ...] = ()
    host_gateway: Optional[str] = None
    images: tuple[str, ...] = ()

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
    try:
        return Builder(
            name=found["Name"],
            driver=found.get("Driver", ""),
            endpoint=found.get("Endpoint", ""),
            status=found.get("Status", "inactive"),
            has_containerd_store=_CONTAINERD_LABEL in found,
            problem=found.get("Error"),
            node_platforms=_parse_node_platforms(text),
            buildkit_versions=tuple(_BUILDKIT_VERSION.findall(text)),
            host_gateway=found.get(_HOST_GATEWAY_LABEL),
            images=_parse_images(text) if found.get("Driver") == "docker-container" else (),
        )
    except KeyError as e:
        raise InvalidBuilderError(f"docker buildx inspect named no {e.args[0]}.") from e


def _parse_images(text: str) -> tuple[str, ...]:
    """The images of nodes that do not run."""
    found = []
    for node in re.split(r"(?m)^Name:", text.partition("\nNodes:")[2])[1:]:
        lines = dict(line.partition(":")[::2] for line in node.splitlines())
        if lines.get("Status", "").strip() != "running":
            image = _DRIVER_IMAGE.search(lines.get("Driver Options", ""))
            found.append(image[1] if image else BUILDKIT_IMAGE)
    return tuple(dict.fromkeys(found))


def _parse_node_platforms(text: str) -> tuple[tuple[str, ...], ...]:
    """The platforms of each node, in order, from the same text."""
    nodes: list[tuple[str, ...]] = []
    for line in text.partition("\nNodes:")[2].splitlines():
        key, _, value = line.partition(":")
        if key == "Name":
            nodes.append(())
        elif key == "Platforms" and nodes:
            nodes[-1] = tuple(each.strip() for each in value.split(",") if each.strip())
    return tuple(nodes)


def parse_node_statuses(text: str) -> tuple[str, ...]:
    """The status of each node, in order, from the same text. An unknown one is `inactive`."""
    statuses: list[str] = []
    _, _, nodes = text.partition("\nNodes:")
    for line in nodes.splitlines():
        key, _, value = line.partition(":")
        if key == "Name":
            statuses.append("inactive")
        elif key == "Status" and statuses:
            statuses[-1] = value.strip()
    return tuple(statuses)


def all_nodes_run(text: str) -> bool:
    """Whether there are nodes, and all of them are `running`."""
    statuses = parse_node_statuses(text)
    return bool(statuses) and all(status == "running" for status in statuses)
