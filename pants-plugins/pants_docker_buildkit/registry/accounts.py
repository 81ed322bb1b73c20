"""Who we are to each registry: as the options say, or else as Docker and buildx know us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from pants_docker_buildkit.oci.reference import DOCKER_HUB
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import (
    Credentials,
    FindCredentials,
    no_credentials,
)
from pants_docker_buildkit.registry.scoped_logins import ScopedLogin, ScopedLogins
from pants_docker_buildkit.registry.secret_source import SecretSource, SecretUnavailableError

_OF_DOCKER_HUB = ("dhi.io", "registry.scout.docker.com")
"""Registries that take the login of Docker Hub, where there is none for them."""


@dataclass(frozen=True)
class Account:
    """Credentials that are read when they are needed.

    They are for the repositories below one of the paths `repositories`, or for all if there is
    none. `username` is a text or a source.
    """

    name: str
    registry: str
    username: str | SecretSource
    password: SecretSource
    repositories: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[SecretSource, ...]:
        """Where its values come from."""
        username = self.username
        return (*((username,) if isinstance(username, SecretSource) else ()), self.password)

    def fit(self, repository: str) -> int | None:
        """How many characters of a repository's name it is for; `None` if it is not for it."""
        if not self.repositories:
            return 0
        fits = [len(each) for each in self.repositories if f"{repository}/".startswith(f"{each}/")]
        return max(fits, default=None)


ChosenAccount = Union[Account, ScopedLogin]
"""Who we are to a repository, where that is not who we are to all that nobody says more of."""


@dataclass(frozen=True)
class Accounts:
    """All accounts of the options. `environment` is the user's, in which sources are read."""

    accounts: Sequence[Account] = ()
    fallback: FindCredentials = no_credentials
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    scoped: ScopedLogins = field(default_factory=ScopedLogins)

    def choose(self, registry: str, repository: str) -> ChosenAccount | None:
        """The account for a repository: the one with the longest path, then the first by name.

        After those of the options come the scoped logins of buildx.
        """
        fits = [
            (-fit, each.name, each)
            for each in self.accounts
            if each.registry == registry
            for fit in (each.fit(repository),)
            if fit is not None
        ]
        if fits:
            return min(fits, key=lambda fit: fit[:2])[2]
        return self.scoped.choose(registry, repository)

    def find(self, registry: str, account: ChosenAccount | None) -> Credentials | None:
        """The credentials of an account, or those that anything else knows for the registry."""
        if account is None:
            found = self.fallback(registry)
            if found is None and registry in _OF_DOCKER_HUB:
                return self.find_for(DOCKER_HUB, "")
            return found
        if isinstance(account, ScopedLogin):
            return account.find(self.scoped.environment)
        username = account.username
        if isinstance(username, SecretSource):
            username = self._read(account, "username", username)
        password = self._read(account, "password", account.password)
        source = f"'[docker-buildkit.registries.{account.name}].password' ({account.password})"
        return Credentials(username, password, source=source)

    def find_for(self, registry: str, repository: str) -> Credentials | None:
        """The credentials for a repository."""
        return self.find(registry, self.choose(registry, repository))

    def _read(self, account: Account, what: str, source: SecretSource) -> str:
        try:
            value = source.read(self.environment).decode().strip()
        except SecretUnavailableError as e:
            finding = e.finding
        except UnicodeDecodeError:
            finding = "it gives no text"
        else:
            if value:
                return value
            finding = "it is empty"
        raise CredentialsUnavailableError(
            f"the option '[docker-buildkit.registries.{account.name}].{what}' has {source}, but"
            f" {finding}"
        )
