"""Which environment do `docker` and its helpers run in? None of it is in any key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from pants.base.build_environment import get_buildroot
from pants.engine.env_vars import EnvironmentVarsRequest

from pants_docker_buildkit.buildx.environment import LISTS_OF_PATHS, PASSED, PATHS, REFUSED
from pants_docker_buildkit.compat import environment_vars_subset, implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.option_values import option_path

_BEGINNING = re.compile(r"[A-Za-z_*?\[]")  # newer Pants takes wildcards
_PATH_PLACEHOLDER = "<PATH>"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class DockerEnvironment:
    """All that `docker` gets to see of the user's environment, and which `docker` it is."""

    variables: tuple[tuple[str, str], ...]
    docker: Optional[str] = None

    @property
    def home(self) -> str:
        """The user's home directory, empty if there is none."""
        return dict(self.variables).get("HOME", "")


def _program(text: str, home: str) -> str:
    """A name to search for, or an absolute path."""
    return option_path(text, home) if "/" in text else text


def _below_build_root(name: str, value: str) -> str:
    """The value with absolute paths: in the sandbox of a program, relative ones lead nowhere."""
    paths = value.split(os.pathsep) if name in LISTS_OF_PATHS else [value]
    root = get_buildroot()
    return os.pathsep.join(os.path.join(root, each) if each else each for each in paths)


def _check_added(variables: Iterable[str]) -> None:
    for name in (each.partition("=")[0] for each in variables):
        if not _BEGINNING.match(name):
            requirement = "hold names of variables, each with a letter or '_' first, or NAME=value"
            raise InvalidOptionError("env_vars", requirement, f"{name!r} is not one")
        if name in REFUSED:
            requirement = "have no variable that changes what is built, because it is in no key"
            raise InvalidOptionError("env_vars", requirement, f"{name} is one ({REFUSED[name]})")


@rule(desc="Read environment of Docker")
async def resolve_docker_environment(subsystem: DockerBuildKitSubsystem) -> DockerEnvironment:
    _check_added(subsystem.env_vars)
    requested = EnvironmentVarsRequest((*PASSED, *subsystem.env_vars))
    variables = dict(await environment_vars_subset(requested, **implicitly()))
    for name in filter(variables.get, PATHS):
        variables[name] = _below_build_root(name, variables[name])
    path = variables.get("PATH", _DEFAULT_PATH)
    entries = (
        path if entry == _PATH_PLACEHOLDER else entry for entry in subsystem.executable_search_paths
    )
    variables["PATH"] = os.pathsep.join(entries)
    docker = _program(subsystem.docker, variables.get("HOME", "")) if subsystem.docker else None
    return DockerEnvironment(tuple(sorted(variables.items())), docker)
