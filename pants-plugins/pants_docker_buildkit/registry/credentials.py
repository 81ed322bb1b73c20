"""Who we are to a registry: credentials, and the Docker configuration they come from.

Own code rather than the Docker SDK's `docker.auth`: that looks for helpers on the PATH of this
process, which in pantsd is not the user's, waits for them without limit, and knows neither
`registrytoken` nor which of several spellings of a registry Docker's own client prefers.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.oci.reference import DOCKER_HUB
from pants_docker_buildkit.registry.credential_helper import (
    CredentialsUnavailableError,
    ask_credential_helper,
)
from pants_docker_buildkit.registry.errors import Identity

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""What Docker's configuration calls Docker Hub."""

DOCKER_CONFIG_FILE = "config.json"
"""What Docker calls its configuration in the directory where that lies."""

AUTH_CONFIG_VARIABLE = "DOCKER_AUTH_CONFIG"
"""The variable that may hold a Docker configuration."""

_MEMBERS = (
    *("auths", "credHelpers", "credsStore"),
    *("auth", "username", "password", "identitytoken", "registrytoken"),
)


class InvalidDockerConfigError(CredentialsUnavailableError):
    """A Docker configuration file cannot be read."""

    def __init__(self, path: Path, finding: str) -> None:
        super().__init__(f"the Docker configuration {path} is not valid: {finding}")


@dataclass(frozen=True)
class Credentials:
    """What proves to a registry, or to its token server, who we are. Its repr shows no secret.

    Either a user name and password, or an `identity_token` to get access tokens with, or a
    `registry_token` that is such an access token. `source` is as in `Identity`.
    """

    username: Optional[str] = None
    password: Optional[str] = field(default=None, repr=False)
    identity_token: Optional[str] = field(default=None, repr=False)
    registry_token: Optional[str] = field(default=None, repr=False)
    source: Optional[str] = field(default=None, compare=False)

    @property
    def identity(self) -> Identity:
        """Whom these credentials stand for, for messages."""
        name = f"user '{self.username}'" if self.username else "the stored token"
        return Identity(name, self.source)

    @property
    def basic(self) -> str | None:
        """The `Authorization` header of basic authentication."""
        if self.username is None or self.password is None:
            return None
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


FindCredentials = Callable[[str], "Credentials | None"]
"""Gives the credentials for a registry, by the name that image references have for it."""


def no_credentials(registry: str) -> Credentials | None:
    """No credentials, for any registry."""
    return None


def docker_credentials(
    environment: Mapping[str, str], all_variables: Mapping[str, str]
) -> FindCredentials:
    """What the user's Docker knows of a registry, read whenever it is asked for.

    So a new login is seen at once. `DOCKER_AUTH_CONFIG`, one of `all_variables`, comes before the
    configuration of `environment`. One that cannot be read has no credentials, as for Docker:
    `invalid_configurations` says so. An invalid entry is an error for its registry only.

    https://docs.docker.com/reference/cli/docker/#environment-variables
    """

    def find(registry: str) -> Credentials | None:
        config = _load_or_none(_config_in, all_variables)
        found = None if config is None else config.find(registry)
        if found is not None:
            return replace(found, source=AUTH_CONFIG_VARIABLE)
        config = _load_or_none(_config_of, environment)
        return None if config is None else config.find(registry)

    return find


def invalid_configurations(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Why some of the Docker configurations that there are cannot be read, a sentence for each."""
    problems = []
    for load in (_config_in, _config_of):
        try:
            load(environment)
        except InvalidDockerConfigError as e:
            text = str(e)
            problems.append(f"{text[:1].upper()}{text[1:]}. It is not used, nor are its logins.")
    return tuple(problems)


def _config_of(environment: Mapping[str, str]) -> DockerConfig | None:
    directory = docker_config_directory(environment)
    return None if directory is None else DockerConfig.load(directory, environment)


def _config_in(environment: Mapping[str, str]) -> DockerConfig | None:
    text = environment.get(AUTH_CONFIG_VARIABLE)
    if not text:
        return None
    config = DockerConfig.parse(Path(f"${AUTH_CONFIG_VARIABLE}"), text.encode())
    # Docker takes logins from there, and no helpers.
    return replace(config, helpers={}, default_helper=None)


def _load_or_none(
    load: Callable[[Mapping[str, str]], DockerConfig | None], environment: Mapping[str, str]
) -> DockerConfig | None:
    try:
        return load(environment)
    except InvalidDockerConfigError:
        return None


def docker_config_directory(environment: Mapping[str, str]) -> Path | None:
    """Where the user's Docker keeps its configuration, if the user's environment says so."""
    if environment.get("DOCKER_CONFIG"):
        return Path(environment["DOCKER_CONFIG"])
    home = environment.get("HOME")
    return Path(home, ".docker") if home else None


@dataclass(frozen=True)
class DockerConfig:
    """What a Docker configuration says about credentials. Its repr shows no secret.

    https://docs.docker.com/reference/cli/docker/login/#credential-stores
    """

    path: Path
    auths: JsonObject | None = field(default=None, repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)
    default_helper: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str]) -> DockerConfig:
        """The configuration in `path`, a file or the directory of a `config.json`.

        A file that does not exist says nothing. `environment` is the user's; credential helpers are
        looked for on its PATH and run in it.
        """
        # `Path.is_dir` raises an error before Python 3.14 where nobody may look, as in another
        # user's home directory.
        file = path / DOCKER_CONFIG_FILE if os.path.isdir(path) else path
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return cls(file, environment=environment)
        except OSError as e:
            raise InvalidDockerConfigError(file, e.strerror or "it cannot be read") from e
        return cls.parse(file, content, environment)

    @classmethod
    def parse(
        cls, file: Path, content: bytes, environment: Mapping[str, str] | None = None
    ) -> DockerConfig:
        """The configuration with this content. `file` is what errors call it."""
        try:
            document = JsonObject.parse_as_go(content, _MEMBERS)
            return cls._read(file, document, environment or {})
        except InvalidJsonError as e:
            raise InvalidDockerConfigError(file, str(e)) from e

    @classmethod
    def _read(
        cls, file: Path, document: JsonObject, environment: Mapping[str, str]
    ) -> DockerConfig:
        return cls(
            file,
            document.member("auths") if "auths" in document else None,
            dict(document.text_pairs("credHelpers")),
            document.optional_text("credsStore"),
            environment,
        )

    def find(self, registry: str) -> Credentials | None:
        """The credentials for `registry`, from its helper, or from the file if it has none.

        Of a registry that a helper knows nothing of, nobody knows more, as in Docker: what the file
        may have is from before there was a helper. Raises `CredentialHelperError` when a helper
        fails for another reason than having none.
        """
        key = DOCKER_HUB_KEY if registry == DOCKER_HUB else registry
        # An empty name is that of the file, also where there is a helper for all others.
        own = [self.helpers[each] for each in (key, registry) if each in self.helpers]
        helper = own[0] if own else self.default_helper
        if helper:
            answer = ask_credential_helper(helper, self.environment, key)
            return None if answer is None else _from_helper(*answer)
        return self._find_in_file(registry, key)

    def _find_in_file(self, registry: str, key: str) -> Credentials | None:
        if self.auths is None:
            return None
        hosts = (registry, _host_of(key))
        candidates = [key, *(each for each in self.auths if _host_of(each) in hosts)]
        # Only now, so that one bad entry does not take the others with it.
        found = (self._read_auth(self.auths, each) for each in candidates if each in self.auths)
        # With a credential store, Docker leaves entries that are empty.
        return next((each for each in found if each != Credentials()), None)

    def _read_auth(self, auths: JsonObject, key: str) -> Credentials:
        try:
            entry = auths.member(key)
            username, password = entry.optional_text("username"), entry.optional_text("password")
            encoded = entry.optional_text("auth")
            if encoded:
                username, password = _decode_auth(self.path, key, encoded)
            identity = entry.optional_text("identitytoken")
            token = entry.optional_text("registrytoken")
        except InvalidJsonError as e:
            raise InvalidDockerConfigError(self.path, str(e)) from e
        # BuildKit shows registries no user without a password.
        if not ((username and password) or identity or token):
            return Credentials()
        return Credentials(username, password, identity, token)


def _from_helper(username: str, secret: str) -> Credentials:
    # https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
    if username == "<token>":
        return Credentials(identity_token=secret)
    return Credentials(username, secret)


def _decode_auth(file: Path, key: str, encoded: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(encoded).decode()
    except ValueError:  # no base64, not even ASCII, or no UTF-8 in it
        pair = ""
    username, colon, password = pair.partition(":")
    if not colon:
        raise InvalidDockerConfigError(
            file, f"the 'auth' of {key!r} must be base64 of 'user:password'"
        )
    return username, password.strip("\0")


def _host_of(key: str) -> str:
    return key.split("://", 1)[-1].split("/", 1)[0]
