"""Which logins are for one repository, or for some actions, as buildx 0.31 and later keep them?

Each is a Docker configuration in `$BUILDX_CONFIG/config/HOST[/REPOSITORY][@ACTION,…]/`, which takes
the place of the user's own where it fits (docker/buildx `util/dockerutil/dockerconfig`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pants_docker_buildkit.oci.reference import DOCKER_HUB
from pants_docker_buildkit.registry.credentials import (
    DOCKER_CONFIG_FILE,
    Credentials,
    DockerConfig,
    docker_config_directory,
)
from pants_docker_buildkit.registry.origin import DOCKER_HUB_HOST

LOGINS_DIRECTORY = "config"
"""Where they lie in the configuration of buildx."""

_PUSH = "push"


@dataclass(frozen=True)
class ScopedLogin:
    """A login for a registry, or for one of its repositories, or for some actions there."""

    directory: Path
    registry: str
    repository: str = ""
    actions: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, root: Path, directory: Path) -> ScopedLogin:
        """The login in a directory below `root`, whose name says what it is for."""
        name, _, actions = directory.relative_to(root).as_posix().partition("@")
        host, _, repository = name.partition("/")
        registry = DOCKER_HUB if host == DOCKER_HUB_HOST else host
        wanted = (each.strip() for each in actions.split(","))
        return cls(directory, registry, repository, frozenset(each for each in wanted if each))

    def find(self, environment: Mapping[str, str]) -> Credentials | None:
        """Its credentials: none are those of somebody who is not logged in."""
        found = DockerConfig.load(self.directory, environment).find(self.registry)
        return found and replace(found, source=f"the login of buildx in {self.directory}")


@dataclass(frozen=True)
class ScopedLogins:
    """The scoped logins of a user with this environment, looked for whenever one is needed."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def choose(self, registry: str, repository: str) -> ScopedLogin | None:
        """The login for pulling and pushing there.

        One for the repository comes first, then one for actions, and of these one for pushing.
        """
        fitting = (
            each
            for each in self._all()
            if each.registry == registry and each.repository in ("", repository)
        )
        return max(
            fitting,
            key=lambda each: (each.repository, len(each.actions), _PUSH in each.actions),
            default=None,
        )

    def _all(self) -> Iterator[ScopedLogin]:
        root = self._root
        # It is looked for with each request, and few users have it.
        if root is None or not os.path.isdir(root):
            return
        for path, _, files in os.walk(root):
            if DOCKER_CONFIG_FILE in files and Path(path) != root:
                yield ScopedLogin.parse(root, Path(path))

    @cached_property
    def _root(self) -> Path | None:
        directory = buildx_config_directory(self.environment)
        return None if directory is None else directory / LOGINS_DIRECTORY


def buildx_config_directory(environment: Mapping[str, str]) -> Path | None:
    """Where the user's buildx keeps its configuration, if the user's environment says so."""
    if environment.get("BUILDX_CONFIG"):
        return Path(environment["BUILDX_CONFIG"])
    docker = docker_config_directory(environment)
    return None if docker is None else docker / "buildx"
