"""A session that a process of a test asks, without Pants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.settings import Reach, RegistrySettings
from pants_docker_buildkit.session.directory import event_path, permit_path
from pants_docker_buildkit.session.profile import BuildSettings, Profile
from pants_docker_buildkit.session.push_rehearsals import PushedName
from pants_docker_buildkit.session.questions import SessionAnswers, SessionClient
from pants_docker_buildkit.session.unix_socket import SessionServer


class FakeSession:
    """Answers in a directory as a session does. Other builds than those added it does not know."""

    def __init__(
        self,
        directory: Path,
        find_credentials: Callable[[str, str], Credentials | None] = lambda *_: None,
        find_push_problem: Callable[[PushedName], str | None] = lambda _: None,
        **environment: str,
    ) -> None:
        for path in (event_path(directory, "", 0), permit_path(directory, "", 0)):
            path.parent.mkdir(parents=True)
        self.directory = directory
        self._find_credentials = find_credentials
        self.find_push_problem = find_push_problem
        self.registries: tuple[tuple[str, RegistrySettings], ...] = ()
        self._builds: dict[str, BuildSettings] = {}
        self.be(None, **environment)
        SessionServer(directory, lambda question: self._answers(question)).start()

    @property
    def client(self) -> SessionClient:
        """Who asks it."""
        return SessionClient(self.directory)

    def be(self, docker: str | None, **environment: str) -> None:
        """Have another `docker` and environment from now on."""
        self._docker, self._environment = docker, environment
        profile = Profile(Reach(tuple(sorted(environment.items())), self.registries), docker)
        self._answers = SessionAnswers(
            profile,
            environment,
            self._find_credentials,
            find_push_problem=lambda name: self.find_push_problem(name),
        )
        for key, settings in self._builds.items():
            self._answers.add_build(key, settings)

    def add_build(self, key: str, settings: BuildSettings) -> None:
        """Know a build, whose secrets come from the session's environment."""
        self._builds[key] = settings
        self.be(self._docker, **self._environment)
