"""What a session answers its processes. It stays in memory: no file, no key and no log has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pants_docker_buildkit.registry.credential_helper import CredentialHelperError
from pants_docker_buildkit.registry.credentials import (
    Credentials,
    CredentialsUnavailableError,
    InvalidDockerConfigError,
)
from pants_docker_buildkit.registry.secret_source import (
    SecretKind,
    SecretSource,
    SecretUnavailableError,
)
from pants_docker_buildkit.session.tag_plans import TagPlans
from pants_docker_buildkit.solver.profile import BuildSettings, Profile
from pants_docker_buildkit.solver.session_client import (
    CREDENTIALS,
    MOVES,
    PROFILE,
    SECRETS,
    SETTINGS,
    VARIABLES,
)
from pants_docker_buildkit.solver.session_socket import SessionProblemError

# Of one variable of an environment, on Linux, with room for its name.
_MAX_VALUE = 120 * 1024


class SessionAnswers:
    """Knows one session. `environment` is all of the user's, in which secrets are read."""

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        find_credentials: Callable[[str, str], Credentials | None],
        plans: TagPlans | None = None,
    ) -> None:
        self._profile = profile
        self._environment = environment
        self._find_credentials = find_credentials
        self._plans = plans
        self._builds: dict[str, BuildSettings] = {}

    def add_build(self, key: str, settings: BuildSettings) -> None:
        """Be ready for the process of this build."""
        self._builds[key] = settings

    def __call__(self, question: Sequence[str]) -> Any:
        """The answer to a question of `SessionClient`. Raises `LookupError` for any other."""
        subject, *arguments = question
        if subject == PROFILE:
            return asdict(self._profile)
        if subject == SETTINGS:
            return asdict(self._builds[arguments[0]])
        if subject == SECRETS:
            return _secrets(self._builds[arguments[0]], self._environment)
        if subject == VARIABLES:
            return [(name, self._environment.get(name)) for name in arguments]
        if subject == CREDENTIALS:
            return self._credentials(*arguments)
        if subject == MOVES and self._plans is not None and arguments == [self._plans.key]:
            return asdict(self._plans.move())
        raise LookupError(subject)

    def _credentials(self, registry: str, repository: str) -> list[str | None] | None:
        try:
            found = self._find_credentials(registry, repository)
        except (
            CredentialHelperError,
            CredentialsUnavailableError,
            InvalidDockerConfigError,
        ) as e:
            raise SessionProblemError(str(e)) from e
        if found is None:
            return None
        return [found.username, found.password, found.identity_token, found.registry_token]


def _secrets(
    settings: BuildSettings, environment: Mapping[str, str]
) -> list[tuple[str, str | None, str | None]]:
    return [(name, *_secret(name, text, environment)) for name, text in settings.secrets]


def _secret(name: str, text: str, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    source = SecretSource.parse(text)
    try:
        source.check(environment)
        if source.kind is SecretKind.FILE:
            return str(source.path(environment)), None
        value = source.read(environment)
        if b"\0" in value or len(value) > _MAX_VALUE:
            finding = f"it has a NUL byte, or more than {_MAX_VALUE} bytes; put it into a file"
            raise SecretUnavailableError(source, finding)
    except SecretUnavailableError as e:
        raise SessionProblemError(
            f"The build needs the secret {name!r} from `{source}`, but {e.finding}. Provide it, or"
            " change the `secrets` field. An image that Pants has a record of needs no secret."
        ) from e
    return None, value.decode("utf-8", "surrogateescape")
