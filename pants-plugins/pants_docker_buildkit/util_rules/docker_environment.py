"""Which environment do `docker` and its helpers run in? None of it is in any key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import environment_vars_subset, implicitly, rule
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.option_paths import option_path

PROXY_VARIABLES = tuple(
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")
    for spelling in (name, name.lower())
)
"""Which may have a password in their value."""

_PATH_PLACEHOLDER = "<PATH>"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"

# What Docker, buildx and SSH document, and what a program needs to find its own files. Variables
# that change what is built, such as SOURCE_DATE_EPOCH or DOCKER_DEFAULT_PLATFORM, stay out.
_DOCUMENTED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "KUBECONFIG",
    *PROXY_VARIABLES,
)


@dataclass(frozen=True)
class DockerEnvironmentRequest:
    """Asks for the environment of `docker`."""


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


@rule(desc="Read environment of Docker")
async def resolve_docker_environment(
    _: DockerEnvironmentRequest, subsystem: DockerBuildKitSubsystem
) -> DockerEnvironment:
    requested = EnvironmentVarsRequest((*_DOCUMENTED, *subsystem.env_vars))
    variables = dict(await environment_vars_subset(requested, **implicitly()))
    path = variables.get("PATH", _DEFAULT_PATH)
    entries = (
        path if entry == _PATH_PLACEHOLDER else entry for entry in subsystem.executable_search_paths
    )
    variables["PATH"] = os.pathsep.join(entries)
    docker = _program(subsystem.docker, variables.get("HOME", "")) if subsystem.docker else None
    return DockerEnvironment(tuple(sorted(variables.items())), docker)


def rules() -> Iterable[Rule]:
    return collect_rules()
