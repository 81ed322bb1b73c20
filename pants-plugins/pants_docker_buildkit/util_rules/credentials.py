"""Which credentials do the options and the user's Docker configuration name?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pants.engine.env_vars import CompleteEnvironmentVars
from pants.engine.internals.session import SessionValues

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.credentials import docker_credentials
from pants_docker_buildkit.registry.scoped_logins import ScopedLogins
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironment,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.registries import read_configured_registries


@dataclass(frozen=True, eq=False)
class UserAccounts:
    """Who this user is to registries."""

    accounts: Accounts


def source_environment(
    session_values: SessionValues, docker: DockerEnvironment
) -> Mapping[str, str]:
    """The user's environment, in which sources of secrets are read, with the path of Docker's."""
    return {**session_values[CompleteEnvironmentVars], **dict(docker.variables)}


@rule(desc="Find accounts for registries")
async def find_accounts(session_values: SessionValues) -> UserAccounts:
    registries = await read_configured_registries(**implicitly())
    docker = await resolve_docker_environment(**implicitly())
    environment = dict(docker.variables)
    all_variables = source_environment(session_values, docker)
    return UserAccounts(
        Accounts(
            tuple(each.account for each in registries.all if each.account is not None),
            docker_credentials(environment, all_variables),
            all_variables,
            ScopedLogins(environment),
        )
    )
