"""Run Pants in a repository, as a user of a machine of its own: own home, caches and pantsd."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.tools import Tools

_STOP_SECONDS = 10.0


class FailedRunError(Exception):
    """A command that is measured failed, so that its time means nothing."""

    def __init__(self, command: str, output: str) -> None:
        super().__init__(f"{command} failed:\n{output[-4000:]}")


def run(command: list[str], directory: Path, environment: Mapping[str, str]) -> str:
    """Run a command to its end, and give what it printed."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FailedRunError(" ".join(command), done.stdout)
    return done.stdout


@dataclass(frozen=True)
class Checkout:
    """A repository on a machine. `has_engine` is false for a machine without any Docker."""

    path: Path
    machine: Path
    tools: Tools
    backend: str = "pants_docker_buildkit"
    plugin: Path | None = None
    remote_cache: str | None = None
    writes_remote_cache: bool = False
    has_engine: bool = True
    settings: tuple[str, ...] = field(default=())

    def configure(self) -> None:
        """Write `pants.toml`, and what belongs to the machine."""
        self.machine.mkdir(parents=True, exist_ok=True)
        lines = [
            "[GLOBAL]",
            f'backend_packages = ["{self.backend}"]',
            f'local_store_dir = "{self.machine}/store"',
            f'named_caches_dir = "{self.machine}/named"',
            'pants_ignore.add = ["docker-bake.json"]',
        ]
        if self.plugin is not None:
            lines.append(f'pythonpath = ["{self.plugin}"]')
        if self.remote_cache is not None:
            lines += [
                f'remote_store_address = "{self.remote_cache}"',
                "remote_cache_read = true",
                f"remote_cache_write = {str(self.writes_remote_cache).lower()}",
            ]
        lines += ["[anonymous-telemetry]", "enabled = false", *self.settings]
        self.path.mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines) + "\n"
        configuration = self.path / "pants.toml"
        if not configuration.exists() or configuration.read_text() != text:
            configuration.write_text(text)

    def pants(self, *arguments: str) -> str:
        """Run Pants, and give what it printed."""
        command = [self.tools.pants]
        if self.tools.pants_configuration:
            command.append(f"--pants-config-files={self.tools.pants_configuration}")
        return run([*command, *arguments], self.path, self._environment())

    def peak_memory(self) -> int:
        """The most memory that pantsd has had so far, in bytes."""
        status = Path(f"/proc/{self._pantsd()}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def stop_pantsd(self) -> None:
        """End this checkout's pantsd, if one runs."""
        try:
            pid = self._pantsd()
        except FileNotFoundError:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    shutil.rmtree(self.path / ".pids", ignore_errors=True)
                    return
                time.sleep(0.1)

    def forget(self) -> None:
        """Delete the machine, and everything that Pants wrote into the checkout."""
        self.stop_pantsd()
        shutil.rmtree(self.machine, ignore_errors=True)
        for name in (".pants.d", ".pids", "dist"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def _pantsd(self) -> int:
        for file in sorted(self.path.glob(".pids/*/pantsd/pid")):
            pid = int(file.read_text())
            if Path(f"/proc/{pid}").exists():
                return pid
        raise FileNotFoundError(f"no pantsd runs for {self.path}")

    def _environment(self) -> dict[str, str]:
        environment = self.tools.environment(self.machine / "home")
        if not self.has_engine:
            environment["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
            environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        return environment


@contextmanager
def in_use(checkout: Checkout) -> Iterator[Checkout]:
    """A configured checkout whose pantsd ends with the block."""
    checkout.configure()
    (checkout.machine / "home").mkdir(exist_ok=True)
    try:
        yield checkout
    finally:
        checkout.stop_pantsd()
