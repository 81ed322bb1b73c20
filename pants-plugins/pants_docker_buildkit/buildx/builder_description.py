"""A builder that the options describe: what has to be there, not how it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pants_docker_buildkit.buildx.buildkitd_config import BuildkitdConfig

DOCKER = "docker"
DOCKER_CONTAINER = "docker-container"
KUBERNETES = "kubernetes"
REMOTE = "remote"

DRIVERS = (DOCKER, DOCKER_CONTAINER, KUBERNETES, REMOTE)


@dataclass(frozen=True)
class NodeDescription:
    """One BuildKit of a builder.

    `endpoint` is a Docker context or the address of an engine, for `remote` that of a BuildKit.
    The TLS files of a `remote` node are among its `driver_opts`, as buildx has it.
    """

    endpoint: Optional[str] = None
    platforms: tuple[str, ...] = ()
    driver_opts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class BuilderDescription:
    """One entry of `[docker-buildkit.builders]`. Paths are absolute.

    One with a `pool` has a BuildKit for each node there, any of which may build an image, and no
    other nodes. One with `acquire` asks this command for a node before each build, and tells
    `release` after it. At most `max_builds` builds run at once on a BuildKit from this machine.

    The daemons' configuration is generated from `buildkitd`, or lies in `buildkitd_config_file`,
    or is BuildKit's own.
    """

    name: str
    driver: str
    nodes: tuple[NodeDescription, ...]
    boot_timeout: int
    buildkitd: Optional[BuildkitdConfig] = None
    buildkitd_config_file: Optional[str] = None
    pool: tuple[NodeDescription, ...] = ()
    acquire: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    max_builds: Optional[int] = None

    @property
    def called(self) -> str:
        """What messages call it: its name, and where it is, which tells those of a pool apart."""
        endpoints = [node.endpoint for node in self.nodes if node.endpoint]
        places = endpoints if self.driver == REMOTE else [self.driver]
        return f"{self.name} ({', '.join(places)})"
