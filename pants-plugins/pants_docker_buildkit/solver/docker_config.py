"""A Docker configuration that knows nothing but the registries of one operation.

`docker` and buildx read it in place of the user's, which is never written. It names a credential
helper that asks the session, so no credential is in a file, and only these registries have one.
Contexts and plugins are the user's.

https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from pants_docker_buildkit.oci.reference import DOCKER_HUB
from pants_docker_buildkit.registry.credentials import (
    DOCKER_CONFIG_FILE,
    DOCKER_HUB_KEY,
    docker_config_directory,
)
from pants_docker_buildkit.registry.scoped_logins import LOGINS_DIRECTORY, buildx_config_directory
from pants_docker_buildkit.session.directory import PROGRAM
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import read_docker_config

HELPER = "pants-docker-buildkit"
HELPER_COMMAND = "credentials"

_REPOSITORIES_FILE = "repositories.json"
PLUGIN_DIRECTORIES = "cliPluginsExtraDirs"
_LINKED = ("contexts", "cli-plugins")
_HUB_KEYS = (DOCKER_HUB_KEY, DOCKER_HUB, "index.docker.io")


def with_private_config(
    docker: DockerCli, session: Path, directory: Path, repositories: Mapping[str, str]
) -> DockerCli:
    """The CLI with a configuration of its own in `directory`, which must not be there yet.

    `repositories` are the registries it may log in to, each with the repository whose account it
    is to be.
    """
    directory.mkdir(mode=0o700)
    host = docker_config_directory(docker.environment) or directory
    for name in _LINKED:
        # `Path.exists` raises an error before Python 3.14 where nobody may look.
        if os.path.exists(host / name):
            (directory / name).symlink_to((host / name).absolute())
    config = read_docker_config(docker.environment)
    taken_over = {key: config[key] for key in (PLUGIN_DIRECTORIES,) if key in config}
    (directory / DOCKER_CONFIG_FILE).write_text(json.dumps(taken_over))
    allow_logins(directory, repositories)
    helpers = directory / "bin"
    helpers.mkdir()
    helper = helpers / f"docker-credential-{HELPER}"
    run = shlex.quote(str(session.absolute() / PROGRAM))
    helper.write_text(f'#!/bin/sh\nexec {run} {HELPER_COMMAND} "$@"\n')
    helper.chmod(0o700)
    buildx = buildx_config_directory(docker.environment) or directory / "buildx"
    return docker.with_environment(
        {
            **_tls_files(docker.environment, host),
            "DOCKER_CONFIG": str(directory),
            "BUILDX_CONFIG": _without_logins(buildx, directory / "buildx"),
            "PATH": os.pathsep.join((str(helpers), docker.search_path)),
        }
    )


def allow_logins(directory: Path, repositories: Mapping[str, str]) -> None:
    """Let a private configuration log in to these registries, and to no others."""
    file = directory / DOCKER_CONFIG_FILE
    config = {**json.loads(file.read_text()), "credHelpers": _helpers(repositories)}
    (directory / _REPOSITORIES_FILE).write_text(json.dumps(dict(repositories)))
    file.write_text(json.dumps(config))


def _tls_files(environment: Mapping[str, str], host: Path) -> dict[str, str]:
    """Where Docker has its certificates: in its configuration, if nothing else says so."""
    uses_tls = environment.get("DOCKER_TLS_VERIFY") or environment.get("DOCKER_TLS")
    if not uses_tls or environment.get("DOCKER_CERT_PATH"):
        return {}
    return {"DOCKER_CERT_PATH": str(host.absolute())}


def _without_logins(buildx: Path, view: Path) -> str:
    """The user's builders, without the scoped logins that would win over ours.

    The session knows those, too (`registry/scoped_logins.py`).
    """
    if not os.path.isdir(buildx / LOGINS_DIRECTORY):
        return str(buildx)
    view.mkdir()
    for path in buildx.iterdir():
        if path.name != LOGINS_DIRECTORY:
            (view / path.name).symlink_to(path.absolute())
    return str(view)


def repository_for(server: str, directory: Path) -> tuple[str, str] | None:
    """The registry that Docker calls `server`, and the repository; `None` if it is not for us."""
    registry = DOCKER_HUB if server in _HUB_KEYS else server
    repositories = json.loads((directory / _REPOSITORIES_FILE).read_text())
    return (registry, repositories[registry]) if registry in repositories else None


def _helpers(registries: Iterable[str]) -> dict[str, str]:
    keys = [
        key
        for registry in registries
        for key in (_HUB_KEYS if registry == DOCKER_HUB else (registry,))
    ]
    return dict.fromkeys(sorted(keys), HELPER)
