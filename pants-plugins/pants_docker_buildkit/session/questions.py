"""What a process asks its session, and what the session answers: both ends of the socket.

That is all that is not in the key of a process. It stays in memory: no file, no key and no log has
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pants_docker_buildkit.oci.json_values import decode
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.secret_source import (
    SecretKind,
    SecretSource,
    SecretUnavailableError,
)
from pants_docker_buildkit.session.profile import BuildSettings, Profile
from pants_docker_buildkit.session.push_rehearsals import PushedName
from pants_docker_buildkit.session.unix_socket import SessionProblemError, ask_session

if TYPE_CHECKING:
    from pants_docker_buildkit.session.tag_plans import MoveReport, TagPlans

_PROFILE = "profile"
_SETTINGS = "settings"
_SECRETS = "secrets"
_CREDENTIALS = "credentials"
_VARIABLES = "variables"
_MOVES = "moves"
_PUSH = "push"
_PROGRESS = "progress"
_SSH = "ssh"

# Of one variable of an environment, on Linux, with room for its name.
_MAX_VALUE = 120 * 1024


@dataclass(frozen=True)
class BuildSecret:
    """What buildx is told of a secret: the file that holds it, or else its value."""

    id: str
    path: Optional[str] = None
    value: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class SessionClient:
    """Asks the session in `directory`.

    Every method raises `NoSessionError` where there is none that knows the answer, and
    `SessionProblemError` where the answer cannot be had.
    """

    directory: Path

    @cached_property
    def profile(self) -> Profile:
        """How this session reaches Docker. It is asked once."""
        return decode(Profile, ask_session(self.directory, _PROFILE))

    def settings(self, build_key: str) -> BuildSettings:
        """What this build is told besides its definition."""
        return decode(BuildSettings, ask_session(self.directory, _SETTINGS, build_key))

    def secrets(self, build_key: str) -> tuple[BuildSecret, ...]:
        """The secrets of this build, all of them."""
        found = ask_session(self.directory, _SECRETS, build_key)
        return tuple(decode(BuildSecret, each) for each in found)

    def variables(self, names: Iterable[str]) -> Mapping[str, str | None]:
        """Variables of the user's environment; `None` for one that is not set."""
        return dict(ask_session(self.directory, _VARIABLES, *names))

    def credentials(self, registry: str, repository: str) -> Credentials | None:
        """Who this session is to a repository."""
        found = ask_session(self.directory, _CREDENTIALS, registry, repository)
        return None if found is None else decode(Credentials, found)

    def forwarded_ssh(self, url: str) -> tuple[str, ...]:
        """What builds forward whose context is the repository at `url`, as in `BuildSettings`."""
        return tuple(ask_session(self.directory, _SSH, url))

    def rehearse_push(self, name: PushedName) -> None:
        """Return where a push of this name would begin, as far as can be known before."""
        ask_session(self.directory, _PUSH, *name)

    def show_progress(self) -> None:
        """Return once the user has seen what builds have said by now."""
        ask_session(self.directory, _PROGRESS)

    def move_tags(self, key: str) -> MoveReport:
        """Have the tags moved that were planned under this key; how far that is in a moment."""
        # Only who moves tags waits for all that this imports.
        from pants_docker_buildkit.session.tag_plans import MoveReport

        return decode(MoveReport, ask_session(self.directory, _MOVES, key))


class SessionAnswers:
    """Knows one session. `environment` is all of the user's, in which secrets are read."""

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        find_credentials: Callable[[str, str], Credentials | None],
        plans: TagPlans | None = None,
        find_push_problem: Callable[[PushedName], str | None] = lambda _: None,
        show_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._profile = profile
        self._environment = environment
        self._find_credentials = find_credentials
        self._plans = plans
        self._find_push_problem = find_push_problem
        self._show_progress = show_progress
        self._builds: dict[str, BuildSettings] = {}
        self._ssh: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def add_repository(self, url: str, ssh: Iterable[str]) -> None:
        """Be ready for the process that checks out the repository at `url` for an image.

        Of images with the same context, any may be the one whose SSH keys open it.
        """
        with self._lock:
            self._ssh[url] = tuple(dict.fromkeys((*self._ssh.get(url, ()), *ssh)))

    def add_build(self, key: str, settings: BuildSettings) -> None:
        """Be ready for the process of this build.

        Of targets whose builds are the same, the one that comes first in a session has it built.
        """
        with self._lock:
            self._builds.setdefault(key, settings)

    def context_name(self, key: str) -> str:
        """What the context of this build is called."""
        return self._settings(key).context_name

    def _settings(self, key: str) -> BuildSettings:
        with self._lock:
            return self._builds[key]

    def _forwarded_ssh(self, url: str) -> tuple[str, ...]:
        with self._lock:
            return self._ssh[url]

    def __call__(self, question: Sequence[str]) -> Any:
        """The answer to a question of `SessionClient`. Raises `LookupError` for any other."""
        subject, *arguments = question
        if subject == _PROFILE:
            return asdict(self._profile)
        if subject == _SETTINGS:
            return asdict(self._settings(*arguments))
        if subject == _SECRETS:
            return _secrets(self._settings(*arguments), self._environment)
        if subject == _VARIABLES:
            return [(name, self._environment.get(name)) for name in arguments]
        if subject == _CREDENTIALS:
            return self._credentials(*arguments)
        if subject == _SSH:
            return self._forwarded_ssh(*arguments)
        if subject == _PUSH:
            return self._rehearse(PushedName(*arguments))
        if subject == _PROGRESS:
            return self._show_progress()
        if subject == _MOVES and self._plans is not None and arguments == [self._plans.key]:
            return asdict(self._plans.move())
        raise LookupError(subject)

    def _rehearse(self, name: PushedName) -> None:
        problem = self._find_push_problem(name)
        if problem is not None:
            raise SessionProblemError(problem)

    def _credentials(self, registry: str, repository: str) -> dict[str, str | None] | None:
        try:
            found = self._find_credentials(registry, repository)
        except CredentialsUnavailableError as e:
            raise SessionProblemError(str(e)) from e
        return None if found is None else asdict(found)


def _secrets(
    settings: BuildSettings, environment: Mapping[str, str]
) -> list[dict[str, str | None]]:
    return [asdict(_secret(name, text, environment)) for name, text in settings.secrets]


def _secret(name: str, text: str, environment: Mapping[str, str]) -> BuildSecret:
    source = SecretSource.parse(text)
    try:
        source.check(environment)
        if source.kind is SecretKind.FILE:
            return BuildSecret(name, path=str(source.path(environment)))
        value = source.read(environment)
        if b"\0" in value or len(value) > _MAX_VALUE:
            finding = f"it has a NUL byte, or more than {_MAX_VALUE} bytes; put it into a file"
            raise SecretUnavailableError(source, finding)
    except SecretUnavailableError as e:
        raise SessionProblemError(
            f"The build needs the secret {name!r} from `{source}`, but {e.finding}. Provide it, or"
            " change the `secrets` field. An image that Pants has a record of needs no secret."
        ) from e
    return BuildSecret(name, value=value.decode("utf-8", "surrogateescape"))
