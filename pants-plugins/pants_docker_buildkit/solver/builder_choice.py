"""Which builder builds, and can it? Asked of buildx once per session and builder."""

from __future__ import annotations

import fcntl
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from pants_docker_buildkit.buildx.builder import Builder, InvalidBuilderError, parse_builder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import EngineUnreachableError, UnknownBuilderError

_DEFAULT_HOST = "unix:///var/run/docker.sock"


def choose_builder(docker: DockerCli, name: str | None, session: Path) -> Builder:
    """The builder called `name`, or buildx's current one. Raises if it does not answer."""
    key = hashlib.sha256((name or "").encode()).hexdigest()[:16]
    with open(session / f"builder-{key}.json", "a+") as file:
        # Builds of one session start together; one of them asks, the others wait for its answer.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        if known:
            return Builder(**json.loads(known))
        builder = _ask_for_builder(docker, name)
        file.write(json.dumps(asdict(builder)))
        return builder


def engine_host(docker: DockerCli, builder: Builder) -> str:
    """The address of the Docker Engine behind a builder of the `docker` driver."""
    host = docker.environment.get("DOCKER_HOST")
    if host and builder.endpoint == "default":
        return host
    answer = docker.ask(
        *("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", builder.endpoint)
    )
    return answer.stdout.strip() or _DEFAULT_HOST


def _ask_for_builder(docker: DockerCli, name: str | None) -> Builder:
    answer = docker.ask("buildx", "inspect", *([name] if name else []))
    if answer.returncode != 0:
        finding = _last_line(answer.stderr)
        if name is None:
            raise EngineUnreachableError(_host_for_people(docker), finding)
        raise UnknownBuilderError(name, finding)
    try:
        builder = parse_builder(answer.stdout)
    except InvalidBuilderError as e:
        raise UnknownBuilderError(name or "default", str(e)) from e
    if builder.problem:
        if builder.driver in ("", "docker"):
            # A Docker Engine that does not answer is not even known to be one.
            raise EngineUnreachableError(_host_for_people(docker), builder.problem)
        raise UnknownBuilderError(builder.name, builder.problem)
    return builder


def _host_for_people(docker: DockerCli) -> str:
    return docker.environment.get("DOCKER_HOST") or "the current Docker context"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("ERROR: ") if lines else "it gave no reason"
