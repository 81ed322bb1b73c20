"""Which engine will Docker and buildx talk to, and is there one where nobody chose?

Docker's own order holds: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of its configuration,
its default socket. Where nothing is chosen and that socket is not there, an engine that people
expect to be found is: a rootless one, or that of Docker Desktop. Nothing of this is in any key.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pants_docker_buildkit.registry.credentials import (
    DOCKER_CONFIG_FILE,
    docker_config_directory,
)
from pants_docker_buildkit.registry.redaction import redact

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_HOST = f"unix://{DEFAULT_SOCKET}"
DEFAULT_CONTEXT = "default"

_UNIX = "unix://"
_ROOTFUL_PODMAN = "/run/podman/podman.sock"

FindSocket = Callable[[str], bool]


def is_socket(path: str) -> bool:
    """Whether there is a Unix socket at this path, whoever listens."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_answering(path: str) -> bool:
    """Whether somebody listens at this path. A socket outlives the program that made it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        with suppress(OSError, ValueError):
            connection.connect(path)
            return True
    return False


def chosen_context(environment: Mapping[str, str]) -> str | None:
    """The Docker context that was chosen, unless `DOCKER_HOST` was, or it is the default one."""
    if environment.get("DOCKER_HOST"):
        return None
    name = environment.get("DOCKER_CONTEXT") or _configured_context(environment)
    return None if name in ("", DEFAULT_CONTEXT) else name


def context_host(environment: Mapping[str, str], context: str) -> str | None:
    """The address of a context's engine, as the Docker CLI has written it down."""
    directory = docker_config_directory(environment)
    if directory is None:
        return None
    name = hashlib.sha256(context.encode()).hexdigest()
    host: Any = _read_docker_file(directory / "contexts" / "meta" / name / "meta.json")
    for key in ("Endpoints", "docker", "Host"):
        host = host.get(key) if isinstance(host, dict) else None
    return host if isinstance(host, str) and host else None


@dataclass(frozen=True)
class EngineSearch:
    """A look at the sockets of this machine, for a user with this environment."""

    environment: Mapping[str, str]
    is_socket: FindSocket = is_socket
    is_answering: FindSocket = is_answering
    user_id: Optional[int] = None

    @property
    def described(self) -> str:
        """Where Docker looks for its engine, in words and without credentials."""
        host = self.environment.get("DOCKER_HOST")
        context = chosen_context(self.environment)
        return redact(host) if host else f"the context {context!r}" if context else DEFAULT_HOST

    @property
    def found_host(self) -> str | None:
        """The engine that Docker would not find by itself: what `DOCKER_HOST` should say."""
        return None if self._is_settled else self._first_answering(self._docker_sockets())

    @property
    def socket(self) -> str | None:
        """The Unix socket of the engine that is used; `None` where it is reached in another way."""
        found = self.found_host
        return found[len(_UNIX) :] if found else self._socket_of_choice()

    @property
    def podman_host(self) -> str | None:
        """Podman's engine, if Docker would talk to it, or nothing else is there."""
        host = self._socket_of_choice()
        if host is not None and _is_podman_socket(host):
            return f"{_UNIX}{host}"
        return None if self._is_settled else self._first_answering(self._podman_sockets())

    @property
    def _is_settled(self) -> bool:
        """Whether Docker knows where its engine is."""
        is_chosen = self.environment.get("DOCKER_HOST") or chosen_context(self.environment)
        return bool(is_chosen) or self.is_socket(DEFAULT_SOCKET)

    def _socket_of_choice(self) -> str | None:
        host = self.environment.get("DOCKER_HOST")
        context = chosen_context(self.environment)
        if not host and context:
            host = context_host(self.environment, context)
        host = host or DEFAULT_HOST
        return host[len(_UNIX) :] if host.startswith(_UNIX) else None

    def _docker_sockets(self) -> list[str]:
        home = self.environment.get("HOME")
        of_desktop = [f"{home}/.docker/run/docker.sock"] if home else []
        return [f"{each}/docker.sock" for each in self._runtime_directories()] + of_desktop

    def _podman_sockets(self) -> list[str]:
        rootless = [f"{each}/podman/podman.sock" for each in self._runtime_directories()]
        return [*rootless, _ROOTFUL_PODMAN]

    def _runtime_directories(self) -> list[str]:
        user_id = os.getuid() if self.user_id is None else self.user_id
        named = self.environment.get("XDG_RUNTIME_DIR")
        return [*([named] if named else []), f"/run/user/{user_id}"]

    def _first_answering(self, paths: list[str]) -> str | None:
        return next((f"{_UNIX}{path}" for path in paths if self.is_answering(path)), None)


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What `docker` needs in its environment, besides this one, to find an engine nobody chose."""
    host = EngineSearch(environment).found_host
    return {"DOCKER_HOST": host} if host else {}


def _is_podman_socket(path: str) -> bool:
    """By name: also of what a link leads to, because the package podman-docker makes one."""
    return any(
        os.path.basename(each).startswith("podman") for each in (path, os.path.realpath(path))
    )


def _configured_context(environment: Mapping[str, str]) -> str:
    name = read_docker_config(environment).get("currentContext")
    return name if isinstance(name, str) else ""


def read_docker_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the user's Docker configuration says; nothing if it cannot be read.

    The session warns of that (`registry/credentials.py`), as Docker does.
    """
    directory = docker_config_directory(environment)
    return {} if directory is None else _read_docker_file(directory / DOCKER_CONFIG_FILE)


def _read_docker_file(path: Path) -> dict[str, Any]:
    """A file of Docker's configuration. One that cannot be read says nothing: Docker will tell."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
