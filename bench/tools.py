"""Which Pants, Docker, registry and remote cache server are measured? Those of the tests."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

_PREFIX = "BUILDKIT_TESTS_"


class MissingToolError(Exception):
    """Something that the benchmarks need is not there."""

    def __init__(self, what: str, variable: str) -> None:
        super().__init__(f"The benchmarks need {what}: name it in {variable}, or run ./bench/run.")


@dataclass(frozen=True)
class Tools:
    """Programs and addresses.

    `pants_configuration` is what `./pants` wrote for this machine: where Pants finds its pex tool,
    which only Pants' own `docker_image` needs.
    """

    pants: str
    docker: str
    docker_host: str
    registry: str
    pants_configuration: str | None
    remote_cache_server: str
    busybox: str

    @classmethod
    def find(cls) -> Tools:
        """What the environment names."""
        return cls(
            pants=_required("Pants 2.17", "PANTS"),
            docker=_required("Docker with buildx", "DOCKER"),
            docker_host=os.environ.get(f"{_PREFIX}DOCKER_HOST", ""),
            registry=_required("a registry (host and port)", "REGISTRY"),
            pants_configuration=os.environ.get(f"{_PREFIX}PANTS_CONFIG"),
            remote_cache_server=_required("a remote cache server (buildgrid)", "BGD"),
            busybox=_required("a static busybox", "BUSYBOX_AMD64"),
        )

    def environment(self, home: Path) -> dict[str, str]:
        """The user's environment without options of Pants, and with `docker` on the `PATH`."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PANTS_")
        }
        environment["HOME"] = str(home)
        environment["NO_SCIE_WARNING"] = "1"
        environment["PATH"] = os.pathsep.join(
            (str(Path(self.docker).parent), environment.get("PATH", os.defpath))
        )
        if self.docker_host:
            environment["DOCKER_HOST"] = self.docker_host
        return environment

    def versions(self) -> tuple[tuple[str, str], ...]:
        """What is measured, for the report."""
        return (
            ("buildx", self._ask(self.docker, "buildx", "version").split(" ")[1]),
            ("engine", self._ask(self.docker, "version", "--format", "{{.Server.Version}}")),
        )

    def _ask(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self.environment(Path.home()),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()


def _required(what: str, name: str) -> str:
    value = os.environ.get(f"{_PREFIX}{name}")
    if not value:
        raise MissingToolError(what, f"{_PREFIX}{name}")
    return value
