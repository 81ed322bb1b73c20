"""A user on a computer of their own: a home, Pants' caches, a Docker CLI or none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Union

from tests.integration.workbench.pants_run import PantsRun
from tests.integration.workbench.ready_pants import (
    Ended,
    Python,
    StartedPants,
    run_ready_pants,
    start_ready_pants,
)
from tests.integration.workbench.recorded_docker import RecordedDocker
from tests.integration.workbench.required import (
    docker_host,
    docker_program,
    pants_command,
    plugin_sources,
)

Files = Mapping[str, Union[str, bytes]]

_RUN_SECONDS = 600
_OPTIONS = {True: "--pantsd", False: "--no-pantsd"}
_NO_BARS = "--no-dynamic-ui"
_STOP_SECONDS = 20.0
_PANTSD_IS_SLOW = "while waiting for pantsd to start"
_IS_STILL_WRITTEN = "Error launching process after 1 retry for ETXTBSY"
_NOWHERE = "unix:///nonexistent/docker.sock"


class Machine:
    """Shares nothing with another machine but what a test gives both: a registry, a remote cache.

    `has_docker=False` is a machine on which Docker was never installed. Its runs are forked from
    `python`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        remote_cache: str | None = None,
        has_docker: bool = True,
        python: Python = Python(),  # noqa: B008 - a value
    ) -> None:
        self.directory = directory
        self.python = python
        self.home = directory / "home"
        self.home.mkdir(parents=True)
        self.docker = RecordedDocker(directory / "bin", docker_program()) if has_docker else None
        self.environment = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "NO_SCIE_WARNING": "1",
            "DOCKER_HOST": self.engine if has_docker else _NOWHERE,
            "PANTS_LOCAL_STORE_DIR": str(self.local_store),
            "PANTS_NAMED_CACHES_DIR": str(self.named_caches),
        }
        if self.docker is not None:
            self.environment["PATH"] = f"{self.docker.directory}:/usr/bin:/bin"
        else:
            (directory / "empty").mkdir()
            self.environment["PATH"] = str(directory / "empty")
        if remote_cache is not None:
            self.environment.update(
                PANTS_REMOTE_CACHE_READ="true",
                PANTS_REMOTE_CACHE_WRITE="true",
                PANTS_REMOTE_STORE_ADDRESS=remote_cache,
                PANTS_REMOTE_INSTANCE_NAME="main",
                # On a busy machine, Pants would drop what it writes to a cache, 3 s after its run,
                # and take an answer that needs 1.5 s for none.
                PANTS_SESSION_END_TASKS_TIMEOUT="120",
                PANTS_REMOTE_CACHE_RPC_TIMEOUT_MILLIS="60000",
            )
        self._checkouts: list[Checkout] = []

    @property
    def engine(self) -> str:
        """The address of the real Docker Engine."""
        return docker_host()

    @property
    def local_store(self) -> Path:
        """Pants' local cache: files, directories and process results."""
        return self.directory / "lmdb_store"

    @property
    def named_caches(self) -> Path:
        return self.directory / "named_caches"

    def docker_calls(self) -> list[tuple[str, ...]]:
        return [] if self.docker is None else self.docker.calls()

    def checkout(self, name: str, files: Files) -> Checkout:
        """A new checkout of a repository with these files."""
        checkout = Checkout(self, self.directory / name)
        checkout.write(files)
        self._checkouts.append(checkout)
        return checkout

    def close(self) -> None:
        """End what still runs."""
        for checkout in self._checkouts:
            checkout.end_started()
            checkout.stop_pantsd()


class Checkout:
    """A Pants repository in a directory of a machine."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self.machine = machine
        self.directory = directory
        directory.mkdir(parents=True)
        self._private = directory.with_name(f"{directory.name}.pants")
        self._started: list[StartedPants] = []

    def write(self, files: Files) -> None:
        """Write files, in directories that are made as needed."""
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file."""
        path = self.directory / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def record(self, target: str) -> bytes:
        """What `package` wrote for `directory:name`."""
        directory, _, name = target.partition(":")
        return (self.directory / "dist" / directory / f"{name}.image.json").read_bytes()

    def pants(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        pantsd: bool = False,
        may_fail: bool = False,
        wrapper: Sequence[str] = (),
    ) -> PantsRun:
        """Run Pants to its end. `wrapper` is a command that starts another one."""
        before = len(self.machine.docker_calls())
        given = [_OPTIONS[pantsd], _NO_BARS, *arguments]
        run = self._run(self._end_of(given, {**self.environment, **(env or {})}, wrapper), before)
        # The client gives up after a minute; the daemon goes on, and the next client finds it. And
        # Pants 2.17 gives up where one of its processes has inherited, for a moment, what another
        # is to run and was just written, as its parser of Dockerfiles is.
        is_slow = pantsd and _PANTSD_IS_SLOW in run.output
        if is_slow or _IS_STILL_WRITTEN in run.output:
            run = self._run(
                self._end_of(given, {**self.environment, **(env or {})}, wrapper), before
            )
        assert may_fail or run.exit_code == 0, run.output
        return run

    def _end_of(
        self, arguments: Sequence[str], environment: Mapping[str, str], wrapper: Sequence[str]
    ) -> Ended:
        if not wrapper:
            return run_ready_pants(
                self.machine.python, arguments, self.directory, environment, _RUN_SECONDS
            )
        answer = subprocess.run(
            [*wrapper, *pants_command(), *arguments],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        return Ended(answer.returncode, answer.stdout.decode("utf-8", "replace"))

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        pantsd: bool = False,
        python: Python | None = None,
        has_input: bool = False,
        terminal: int | None = None,
        draws_bars: bool = False,
    ) -> StartedPants:
        """Start Pants, and leave it to the test. `python` is as that of a machine.

        With a `terminal`, Pants has that one, and `^C` typed into it reaches Pants, which may draw
        its bars there.
        """
        bars = () if draws_bars else (_NO_BARS,)
        started = start_ready_pants(
            python or self.machine.python,
            [_OPTIONS[pantsd], *bars, *arguments],
            self.directory,
            {**self.environment, **(env or {})},
            has_input=has_input,
            terminal=terminal,
        )
        self._started.append(started)
        return started

    def finish(self, started: StartedPants, calls_before: int = 0) -> PantsRun:
        """Wait for a run that was started."""
        try:
            output = started.communicate(timeout=_RUN_SECONDS)
        except subprocess.TimeoutExpired as error:
            started.close()
            raise AssertionError(f"Pants did not end: {error.output!r}") from None
        assert started.returncode is not None
        return self._run(Ended(started.returncode, output.decode("utf-8", "replace")), calls_before)

    def _run(self, ended: Ended, calls_before: int) -> PantsRun:
        calls = self.machine.docker_calls()[calls_before:]
        return PantsRun(ended.exit_code, ended.output, tuple(calls))

    @property
    def environment(self) -> dict[str, str]:
        """That of the machine, with a place of its own for what Pants keeps of this checkout."""
        return {
            **self.machine.environment,
            "PANTS_WORKDIR": str(self._private / "workdir"),
            "PANTS_SUBPROCESSDIR": str(self._private / "pids"),
        }

    def end_started(self) -> None:
        """End the runs that a failed test left behind."""
        for started in self._started:
            started.close()

    def stop_pantsd(self) -> None:
        """End the daemon of this checkout, as a restart of the computer would."""
        for file in self._pantsd_files():
            with suppress(ValueError, ProcessLookupError):
                pid = int(file.read_text())
                os.kill(pid, signal.SIGTERM)
                _wait_for_end(pid)

    def _pantsd_files(self) -> list[Path]:
        return list(self._private.glob("pids/**/pantsd/pid"))

    def forget_results(self) -> None:
        """Remove what earlier runs wrote to `dist/`."""
        shutil.rmtree(self.directory / "dist", ignore_errors=True)


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def repository_settings(registry: str, repository: str, options: str = "") -> str:
    """A `pants.toml` with the plugin and one registry; images lie below `repository`."""
    return f"""\
[GLOBAL]
pythonpath = ["{plugin_sources()}"]
backend_packages = ["pants_docker_buildkit"]

[anonymous-telemetry]
enabled = false

[docker-buildkit]
default_repository = "{repository}/{{directory}}"

[docker-buildkit.registries.tests]
address = "{registry}"
default = true

{options}
"""
