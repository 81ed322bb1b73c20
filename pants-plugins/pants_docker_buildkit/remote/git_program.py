"""Git, run in the environment of the user, but without anybody to answer it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.ssh_login import SshLogin, say_without_keys
from pants_docker_buildkit.remote.web_content import RemoteContentError

_REMOTE = "remote:"
_NO_CONNECTION = "fatal: Could not read from remote repository."
_NO_FINDINGS = ("warning:", "hint:")


class Git:
    """Runs commands of Git's in `directory`, or where this process is.

    So it knows the user's SSH agent and credential helpers. A command that takes more than
    `seconds` is ended with all that it started. `settings` are in the form of `git -c`. With
    `login`, servers that are reached by SSH know it as they know the build.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        seconds: int,
        directory: Optional[Path] = None,
        settings: Sequence[str] = (),
        login: Optional[SshLogin] = None,
    ) -> None:
        self.directory = directory
        self._environment = {**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        self._seconds = seconds
        self._settings = settings
        self._login: Optional[SshLogin] = None
        if login is not None:
            is_told = login.is_given and self.succeeds("config", "--get", "core.sshCommand")
            self._environment = login.environment(self._environment, has_own_command=is_told)
            self._login = login

    def without_configuration(self) -> Git:
        """The same without what the user has configured: filters may make files of others."""
        nothing = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        environment = {**self._environment, **nothing}
        return Git(environment, self._seconds, self.directory, self._settings)

    def run(self, *arguments: str) -> str:
        """What a command prints that has to succeed. Raises `RemoteContentError`."""
        done = self._run(arguments)
        if done.returncode != 0:
            said = _cause(say_without_keys(done.stderr)) or f"it ended with {done.returncode}"
            advice = "" if self._login is None else self._login.advice(done.stderr)
            finding = f"'git {arguments[0]}' fails: {redact(said)}"
            raise RemoteContentError(f"{finding.rstrip('.')}. {advice}" if advice else finding)
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command does. Raises `RemoteContentError` where it cannot be run."""
        return self._run(arguments).returncode == 0

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        settings = [word for setting in self._settings for word in ("-c", setting)]
        command = ["git", *settings, *arguments]
        if self._login is not None:
            command = self._login.command(command, self._environment.get("PATH"))
        try:
            with subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Without a terminal, neither Git nor SSH waits for somebody to answer it.
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            ) as process:
                try:
                    printed, said = process.communicate(timeout=self._seconds)
                except BaseException:
                    # What it started waits for a server, perhaps for ever.
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    raise
            return subprocess.CompletedProcess(process.args, process.returncode, printed, said)
        except subprocess.TimeoutExpired as e:
            finding = f"'git {arguments[0]}' took more than {self._seconds} s"
            raise RemoteContentError(finding) from e
        except OSError as e:
            raise RemoteContentError(f"'git' cannot be run: {e.strerror}") from e


def _cause(text: str) -> str:
    """Why a command failed, of all that was said.

    SSH and servers may greet before, or draw boxes, and say why last. Others say it first.
    """
    lines = _lines(text)
    telling = [line for line in lines if not line.lower().startswith(_NO_FINDINGS)]
    if _NO_CONNECTION in telling:
        before = telling[: telling.index(_NO_CONNECTION)]
        return before[-1] if before else _NO_CONNECTION
    return next(iter((*telling, *lines)), "")


def _lines(text: str) -> list[str]:
    """Those that have words, also if a server said them."""
    said = (line.removeprefix(_REMOTE) for line in text.splitlines())
    return [line.strip() for line in said if any(map(str.isalnum, line))]
