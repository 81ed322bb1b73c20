"""Which credentials do the options and the user's Docker configuration name?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import environment_vars_subset, implicitly, rule
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.credentials import (
    docker_config_credentials,
    docker_config_directory,
    no_credentials,
)
from pants_docker_buildkit.secret_source import SecretSource
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironmentRequest,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistriesRequest,
    read_configured_registries,
)


@dataclass(frozen=True)
class AccountsRequest:
    """Asks who this user is to registries."""


@dataclass(frozen=True, eq=False)
class UserAccounts:
    """Who this user is to registries."""

    accounts: Accounts


@dataclass(frozen=True)
class SourceVariablesRequest:
    """Asks for the environment in which these sources are read."""

    sources: tuple[SecretSource, ...]


@dataclass(frozen=True)
class SourceVariables:
    """The user's environment, as far as it is Docker's or a source names it."""

    variables: tuple[tuple[str, str], ...] = field(repr=False)


@rule
async def read_source_variables(request: SourceVariablesRequest) -> SourceVariables:
    docker = await resolve_docker_environment(DockerEnvironmentRequest(), **implicitly())
    names = sorted({each.variable for each in request.sources if each.variable is not None})
    named = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    return SourceVariables(tuple(sorted({**named, **dict(docker.variables)}.items())))


@rule(desc="Find accounts for registries")
async def find_accounts(_: AccountsRequest) -> UserAccounts:
    registries = await read_configured_registries(ConfiguredRegistriesRequest(), **implicitly())
    accounts = tuple(each.account for each in registries.all if each.account is not None)
    sources = tuple(source for each in accounts for source in each.sources)
    read = await read_source_variables(SourceVariablesRequest(sources), **implicitly())
    docker = await resolve_docker_environment(DockerEnvironmentRequest(), **implicitly())
    environment = dict(docker.variables)
    directory = docker_config_directory(environment)
    config = docker_config_credentials(directory, environment) if directory else no_credentials
    return UserAccounts(Accounts(accounts, config, dict(read.variables)))


def rules() -> Iterable[Rule]:
    return collect_rules()
