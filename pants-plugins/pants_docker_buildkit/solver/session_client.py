"""What a process of a session learns from it: all that is not in the process's key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.session.tag_plans import MoveReport, parse_report
from pants_docker_buildkit.solver.profile import (
    BuildSettings,
    Profile,
    parse_profile,
    parse_settings,
)
from pants_docker_buildkit.solver.session_socket import ask_session

PROFILE = "profile"
SETTINGS = "settings"
SECRETS = "secrets"
CREDENTIALS = "credentials"
VARIABLES = "variables"
MOVES = "moves"


@dataclass(frozen=True)
class BuildSecret:
    """What buildx is told of a secret: the file that holds it, or else its value."""

    id: str
    path: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SessionClient:
    """Asks the session in `directory`.

    Every method raises `NoSessionError` where there is none that knows the answer, and
    `SessionProblemError` where the answer cannot be had.
    """

    directory: Path

    def profile(self) -> Profile:
        """How this session reaches Docker."""
        return parse_profile(ask_session(self.directory, PROFILE))

    def settings(self, build_key: str) -> BuildSettings:
        """What this build is told besides its definition."""
        return parse_settings(ask_session(self.directory, SETTINGS, build_key))

    def secrets(self, build_key: str) -> tuple[BuildSecret, ...]:
        """The secrets of this build, all of them."""
        found = ask_session(self.directory, SECRETS, build_key)
        return tuple(BuildSecret(*each) for each in found)

    def variables(self, names: Iterable[str]) -> Mapping[str, str | None]:
        """Variables of the user's environment; `None` for one that is not set."""
        return dict(ask_session(self.directory, VARIABLES, *names))

    def credentials(self, registry: str, repository: str) -> Credentials | None:
        """Who this session is to a repository."""
        found = ask_session(self.directory, CREDENTIALS, registry, repository)
        return None if found is None else Credentials(*found)

    def move_tags(self, key: str) -> MoveReport:
        """Have the tags moved that were planned under this key; how far that is in a moment."""
        return parse_report(ask_session(self.directory, MOVES, key))
