"""Which `docker` runs the build, and what does it say?"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.registry.program_output import shorten_crash
from pants_docker_buildkit.solver.errors import (
    BuildxNotFoundError,
    ChosenDockerError,
    DockerNotFoundError,
    NulByteError,
)

# By this buildx knows that it is a plugin (`cli-plugins/metadata` of the Docker CLI).
_PLUGIN_VARIABLE = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"


@dataclass(frozen=True)
class BuildxPlugin:
    """The buildx that the Docker CLI starts, and its version as the CLI knows it."""

    path: str
    version: str


@dataclass(frozen=True)
class DockerCli:
    """The Docker CLI of this machine and the environment that it runs in.

    A stand-alone `docker-buildx` takes the place of `docker buildx` where there is no `docker`.
    `plugin` is started as the CLI would start it, in place of the CLI.
    """

    binary: str
    environment: Mapping[str, str]
    is_standalone_buildx: bool = False
    plugin: BuildxPlugin | None = None

    @classmethod
    def find(cls, environment: Mapping[str, str], chosen: str | None = None) -> DockerCli:
        """The CLI on the `PATH` of this environment, or the one that `[docker-buildkit].docker` is.

        Raises `DockerNotFoundError` or `ChosenDockerError`.
        """
        search_path = environment.get("PATH", os.defpath)
        for name in (chosen,) if chosen else ("docker", "docker-buildx"):
            binary = shutil.which(name, path=search_path)
            if binary is not None:
                is_buildx = "buildx" in os.path.basename(binary)
                return cls(binary, environment, is_standalone_buildx=is_buildx)
        if chosen:
            raise ChosenDockerError(chosen, search_path)
        raise DockerNotFoundError(search_path)

    @property
    def search_path(self) -> str:
        """Where it was found, and its helpers are."""
        return self.environment.get("PATH", os.defpath)

    def with_environment(self, extra: Mapping[str, str]) -> DockerCli:
        """The same CLI with more in its environment."""
        return replace(self, environment={**self.environment, **extra})

    def at_engine(self, endpoint: str) -> DockerCli:
        """The same CLI for the engine at an address, or for that of a Docker context."""
        if "://" in endpoint:
            return self.with_environment({"DOCKER_HOST": endpoint})
        return self.with_environment({"DOCKER_HOST": "", "DOCKER_CONTEXT": endpoint})

    def with_buildx_config(self, directory: Path) -> DockerCli:
        """The same CLI with the builders of this directory, and none that it takes by default."""
        return self.with_environment({"BUILDX_CONFIG": str(directory), "BUILDX_BUILDER": ""})

    def with_plugin(self, plugin: BuildxPlugin) -> DockerCli:
        """The same CLI, in whose place this buildx is started."""
        told = self.with_environment({_PLUGIN_VARIABLE: self.binary})
        return replace(told, plugin=plugin)

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """The whole command for `arguments`, which start with `buildx` for buildx.

        Raises `NulByteError` where none can be made of them.
        """
        for argument in arguments:
            if "\0" in argument:
                raise NulByteError(argument)
        if self.plugin is not None and arguments[0] == "buildx":
            return [self.plugin.path, *arguments]
        return self.typed(arguments)

    def typed(self, arguments: Sequence[str]) -> list[str]:
        """The whole command as a person types it."""
        if self.is_standalone_buildx and arguments[0] == "buildx":
            arguments = arguments[1:]
        return [self.binary, *arguments]

    def ask(
        self, *arguments: str, seconds: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that answers at once. Its failure is the caller's to judge.

        One that takes more than `seconds` is ended, and raises `subprocess.TimeoutExpired`.
        """
        answer = subprocess.run(
            self.arguments(arguments),
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            # It may name a file, whose name may be of bytes that are no text.
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds,
        )
        if (
            "is not a docker command" in answer.stderr
            or "unknown command: docker buildx" in answer.stderr
        ):
            raise BuildxNotFoundError(self.binary)
        answer.stderr = shorten_crash(answer.stderr, Path(self.binary).name)
        return answer
