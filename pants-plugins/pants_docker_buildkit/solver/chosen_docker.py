"""Which `docker` does a session tell to use, and at which engine?"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pants_docker_buildkit.session.directory import scratch_directory
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_bridge import engine_dialer, listening
from pants_docker_buildkit.solver.engine_search import (
    EngineSearch,
    chosen_context,
    engine_environment,
)
from pants_docker_buildkit.solver.errors import (
    DockerCliNeededError,
    DockerNotFoundError,
    EngineUnreachableError,
)

_ANSWER_SECONDS = 60.0
"""For an engine that is reached by SSH, which waits for ever where the other end says nothing."""

LOCAL_OUTPUT = "The output 'docker'"


def chosen_docker(profile: Profile) -> DockerCli:
    """The Docker CLI, or a stand-alone buildx.

    Raises `DockerNotFoundError` or `ChosenDockerError`.
    """
    environment = profile.environment
    context = chosen_context(environment)
    if context is not None:
        # Whatever configuration `docker` gets to see.
        environment["DOCKER_CONTEXT"] = context
    return DockerCli.find(environment, profile.docker)


def docker_at_engine(profile: Profile, what: str) -> DockerCli:
    """The Docker CLI, on an engine, for `what` a stand-alone buildx cannot do.

    Raises `DockerCliNeededError` or `ChosenDockerError`.
    """
    try:
        docker = chosen_docker(profile)
    except DockerNotFoundError as e:
        raise DockerCliNeededError(what, e.search_path) from e
    if docker.is_standalone_buildx:
        raise DockerCliNeededError(what, docker.search_path)
    return docker.with_environment(engine_environment(docker.environment))


@contextmanager
def engine_socket(profile: Profile, session: Path) -> Iterator[str]:
    """The path of a Unix socket at which the engine answers that `docker` talks to.

    What is reached by TLS or SSH, by whatever a Docker context says, is reached through the Docker
    CLI. Raises `EngineUnreachableError` then, or as `docker_at_engine`.
    """
    search = EngineSearch(profile.environment)
    path = search.socket
    if path is not None:
        yield path
        return
    docker = docker_at_engine(profile, LOCAL_OUTPUT)
    question = ("version", "--format", "{{.Server.APIVersion}}")
    try:
        answer = docker.ask(*question, seconds=_ANSWER_SECONDS)
    except subprocess.TimeoutExpired as e:
        finding = f"it gave no answer in {_ANSWER_SECONDS:.0f} s"
        raise EngineUnreachableError(search.described, finding) from e
    if answer.returncode != 0:
        raise EngineUnreachableError(search.described, answer.stderr)
    with scratch_directory(session) as scratch, listening(engine_dialer(docker), scratch) as path:
        yield path
