"""A `docker` that gives prepared answers, and remembers what it was asked."""

from __future__ import annotations

import shlex
from pathlib import Path

from pants_docker_buildkit.solver.docker_cli import DockerCli

UNEXPECTED = 97
"""The exit code for a command that no answer was prepared for."""

_HEAD = """\
#!/bin/sh
printf '%s\\n' "$*" >>{log}
case "$*" in
"""
_TAIL = """\
esac
echo "nobody prepared an answer to: $*" >&2
exit {code}
"""


class FakeDocker:
    """An executable `docker` in a directory of its own. The first answer that fits is given."""

    def __init__(self, directory: Path, name: str = "docker") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.binary = directory / name
        self._log = directory / f"{name}.log"
        self._log.touch()
        self._answers: list[str] = []
        self._write()

    def answer(
        self, command: str, stdout: str = "", *, stderr: str = "", exit_code: int = 0, run: str = ""
    ) -> FakeDocker:
        """Answer commands that start with these words; `run` is shell code that is run first."""
        lines = (
            f"{shlex.quote(command)}*)",
            f"  {run or ':'}",
            f"  printf %s {shlex.quote(stdout)}",
            f"  printf %s {shlex.quote(stderr)} >&2",
            f"  exit {exit_code};;",
        )
        self._answers.append("\n".join(lines))
        self._write()
        return self

    @property
    def calls(self) -> list[str]:
        """The commands until now, without the program."""
        return self._log.read_text().splitlines()

    def cli(self, **environment: str) -> DockerCli:
        """The CLI with this environment and nothing else in it."""
        return DockerCli(str(self.binary), {"PATH": "/usr/bin:/bin", **environment})

    def _write(self) -> None:
        head = _HEAD.format(log=shlex.quote(str(self._log)))
        script = head + "\n".join(self._answers) + "\n" + _TAIL.format(code=UNEXPECTED)
        self.binary.write_text(script)
        self.binary.chmod(0o755)
