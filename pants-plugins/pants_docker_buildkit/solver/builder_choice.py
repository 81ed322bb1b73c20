"""Which builder builds, and can it? Asked of buildx once per session and builder."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pants_docker_buildkit.buildx.builder import (
    Builder,
    InvalidBuilderError,
    any_node_runs,
    parse_builder,
)
from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import (
    DEFAULT_CONTEXT,
    DEFAULT_HOST,
    EngineSearch,
    context_host,
    engine_environment,
)
from pants_docker_buildkit.solver.errors import (
    BuildxConfigError,
    EngineUnreachableError,
    PodmanEngineError,
    SolverError,
    TurnedAwayError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.remembered import forget, remember
from pants_docker_buildkit.solver.remote_builder import await_remote_builder, last_error
from pants_docker_buildkit.solver.turned_away import is_turned_away

_KIND = "builder"
_REMOTE_SECONDS = 20.0
"""How long buildx waits for a remote builder, too."""


def choose_builder(docker: DockerCli, name: str | None, session: Path) -> Builder:
    """The builder called `name`, or buildx's current one. Raises if it does not answer."""
    place = (docker.environment.get(each, "") for each in ("DOCKER_HOST", "DOCKER_CONTEXT"))
    key = "\0".join((name or "", *place))
    return remember_builder(session, key, lambda: _ask_for_builder(docker, name))


def remember_builder(session: Path, key: str, ask: Callable[[], Builder]) -> Builder:
    """What `ask` gives, which is called once in a session for each `key`."""
    known = remember(session, _KIND, key, lambda: json.dumps(asdict(ask())))
    return decode_json(Builder, known.encode())


def forget_builders(session: Path) -> None:
    """Let each builder be asked again."""
    forget(session, _KIND)


def engine_host(docker: DockerCli, builder: Builder) -> str:
    """The address of the Docker Engine behind a builder of the `docker` driver."""
    host = docker.environment.get("DOCKER_HOST")
    if builder.endpoint == DEFAULT_CONTEXT:
        return host or DEFAULT_HOST
    if docker.is_standalone_buildx:
        return context_host(docker.environment, builder.endpoint) or DEFAULT_HOST
    answer = docker.ask(
        *("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", builder.endpoint)
    )
    return answer.stdout.strip() or DEFAULT_HOST


def _ask_for_builder(docker: DockerCli, name: str | None) -> Builder:
    if name is not None and name.startswith("-"):
        # buildx would take it for a flag. It creates no builder of such a name.
        raise UnknownBuilderError(name, f'no builder "{name}" found')
    try:
        return _inspect(docker, name)
    except EngineUnreachableError as e:
        # Only now: in another engine's place, `docker buildx use` may have chosen a builder.
        found = engine_environment(docker.environment)
        if found:
            return _inspect(docker.with_environment(found), name)
        podman = EngineSearch(docker.environment).podman_host
        if podman is not None:
            raise PodmanEngineError(podman) from e
        raise


def _is_writable(directory: Path) -> bool:
    """Whether buildx could make a file there, and before that the directory."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _unusable(where: str, name: str | None, finding: str) -> SolverError:
    """What to raise about a builder, which is the engine itself where it has no `name`."""
    if is_turned_away(finding):
        return TurnedAwayError(where, finding)
    return UnknownBuilderError(name, finding) if name else EngineUnreachableError(where, finding)


def _inspect(docker: DockerCli, name: str | None) -> Builder:
    answer = docker.ask("buildx", "inspect", *([name] if name else []))
    where = EngineSearch(docker.environment).described
    if answer.returncode != 0:
        finding = last_error(answer.stderr) or "it gave no reason"
        config = docker.environment.get("BUILDX_CONFIG", "")
        if config and not _is_writable(Path(config)):
            raise BuildxConfigError(config, finding)
        raise _unusable(where, name or docker.environment.get("BUILDX_BUILDER"), finding)
    try:
        builder = parse_builder(answer.stdout)
    except InvalidBuilderError as e:
        raise UnknownBuilderError(name or "default", str(e)) from e
    if _is_podman(docker, builder):
        raise PodmanEngineError(where)
    if builder.problem:
        # A Docker Engine that does not answer is not even known to be one.
        is_engine = builder.driver in ("", "docker")
        raise _unusable(where, None if is_engine else builder.name, builder.problem)
    if builder.driver == "remote" and not builder.is_running:
        return _await(docker, builder.name)
    return builder


def _await(docker: DockerCli, name: str) -> Builder:
    try:
        answered = await_remote_builder(docker, name, _REMOTE_SECONDS)
    except subprocess.TimeoutExpired as e:
        raise UnknownBuilderError(name, "it does not answer") from e
    if answered.problem is not None and not any_node_runs(answered.inspection):
        raise UnknownBuilderError(name, answered.problem)
    return parse_builder(answered.inspection)


def _is_podman(docker: DockerCli, builder: Builder) -> bool:
    """Whether the builder is only what buildx thinks up for an engine that is Podman's.

    For an engine without a BuildKit buildx would start one in a container, as a builder that nobody
    created. Who wants that in Podman creates a builder, which has a name then.
    """
    if builder.driver == "podman":
        # What `docker buildx inspect` says where `docker` is Podman's own.
        return True
    if builder.is_docker_engine or not builder.is_of_context:
        return False
    if docker.is_standalone_buildx:
        return EngineSearch(docker.environment).podman_host is not None
    components = "{{range .Server.Components}}{{.Name}}\n{{end}}"
    return "Podman" in docker.ask("version", "--format", components).stdout
