"""Where a secret value comes from: `env=NAME`, `file=PATH` or `command=COMMAND`.

Options and fields hold such texts in place of values, so that no value is in a file of the
repository, in Pants' options or in any key. A value is read when somebody needs it.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program

_TIMEOUT_SECONDS = 60.0


class SecretKind(str, Enum):
    """What a source names."""

    ENV = "env"
    FILE = "file"
    COMMAND = "command"


class InvalidSecretSourceError(ValueError):
    """A text names no source. It is not repeated, because it may be the secret itself."""

    requirement = "be `env=NAME`, `file=PATH` or `command=COMMAND`"


class SecretUnavailableError(Exception):
    """A source gives no value now. `finding` says why, without any value."""

    def __init__(self, source: SecretSource, finding: str) -> None:
        self.finding = finding
        super().__init__(f"{source}: {finding}")


@dataclass(frozen=True)
class SecretSource:
    """One source. A file's path is absolute, or starts with `~/` for the user's home directory."""

    kind: SecretKind
    value: str

    @classmethod
    def parse(cls, text: str) -> SecretSource:
        """The source that `KIND=VALUE` names. Raises `InvalidSecretSourceError`."""
        kind, separator, value = text.partition("=")
        known = {each.value for each in SecretKind}
        if not separator or kind not in known or not value.strip():
            raise InvalidSecretSourceError
        source = cls(SecretKind(kind), value.strip())
        if source.kind is SecretKind.COMMAND:
            try:
                shlex.split(source.value)
            except ValueError as e:
                raise InvalidSecretSourceError from e
        return source

    def __str__(self) -> str:
        return f"{self.kind.value}={self.value}"

    @property
    def variable(self) -> str | None:
        """The environment variable that holds the value."""
        return self.value if self.kind is SecretKind.ENV else None

    def below(self, directory: Path) -> SecretSource:
        """The same source, with a relative path taken from this directory."""
        if self.kind is not SecretKind.FILE or self.value.startswith("~"):
            return self
        return SecretSource(self.kind, str(directory / self.value))

    def path(self, environment: Mapping[str, str]) -> Path:
        """Where the file is, in the home directory of this environment."""
        if self.value == "~" or self.value.startswith("~/"):
            return Path(environment.get("HOME", ""), self.value[2:])
        return Path(self.value)

    def check(self, environment: Mapping[str, str]) -> None:
        """Raise `SecretUnavailableError` where it is plain already that there is no value."""
        if self.kind is SecretKind.ENV and self.value not in environment:
            raise SecretUnavailableError(self, "the variable is not set")
        if self.kind is SecretKind.FILE:
            path = self.path(environment)
            try:
                is_file = stat.S_ISREG(path.stat().st_mode)
            except (FileNotFoundError, NotADirectoryError, ValueError) as e:
                raise SecretUnavailableError(self, "there is no such file") from e
            except OSError as e:
                # `Path.is_file` says nothing of it from Python 3.14 on.
                raise SecretUnavailableError(self, e.strerror or "it cannot be read") from e
            if not is_file:
                raise SecretUnavailableError(self, "it is no file")
            if not os.access(path, os.R_OK):
                raise SecretUnavailableError(self, "it cannot be read")

    def read(self, environment: Mapping[str, str]) -> bytes:
        """The value: a file's bytes, or what a command prints, without the line break at its end.

        `environment` is the user's; commands run in it, without a shell.
        """
        self.check(environment)
        if self.kind is SecretKind.ENV:
            return environment[self.value].encode("utf-8", "surrogateescape")
        if self.kind is SecretKind.COMMAND:
            return self._run(environment)
        try:
            return self.path(environment).read_bytes()
        except OSError as e:
            raise SecretUnavailableError(self, e.strerror or "it cannot be read") from e

    def _run(self, environment: Mapping[str, str]) -> bytes:
        try:
            done = run_program(shlex.split(self.value), environment, Limits(_TIMEOUT_SECONDS))
        except ProgramError as e:
            raise SecretUnavailableError(self, f"it {e.finding}") from e
        if done.exit_code != 0:
            # What it printed is not repeated: it may be the secret.
            finding = f"it failed with exit code {done.exit_code}"
            raise SecretUnavailableError(self, finding)
        value = done.printed
        for end in (b"\r\n", b"\n"):
            if value.endswith(end):
                return value[: -len(end)]
        return value
