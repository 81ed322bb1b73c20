"""A `docker` that writes down how it is called, and then is the real one."""

from __future__ import annotations

import shlex
from pathlib import Path

_END_OF_ARGUMENT, _END_OF_CALL = "\x1f", "\x1e"
_RECORDER = """\
#!/bin/sh
export PATH="${{PATH:-/usr/bin:/bin}}"
call=$(printf '%s\\037' "$@")
printf '%s\\036' "$call" >>{log}
exec {docker} "$@"
"""


class RecordedDocker:
    """A directory for `PATH` whose `docker` records its calls.

    A recorder, not a fake: what it is asked to do is done by the real Docker CLI. Pants' own Docker
    backend starts it with an empty `PATH`, which a Docker CLI that is a script cannot work with.
    """

    def __init__(self, directory: Path, docker: Path) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._log = directory / "calls"
        self._log.touch()
        script = directory / "docker"
        script.write_text(
            _RECORDER.format(log=shlex.quote(str(self._log)), docker=shlex.quote(str(docker)))
        )
        script.chmod(0o755)

    def calls(self) -> list[tuple[str, ...]]:
        """The arguments of every call until now."""
        calls = self._log.read_text().split(_END_OF_CALL)[:-1]
        return [tuple(call.split(_END_OF_ARGUMENT)[:-1]) for call in calls]


def is_build(call: tuple[str, ...]) -> bool:
    """Whether this call asks BuildKit to build something."""
    return call[:2] in {("buildx", "build"), ("buildx", "bake")} or call[:1] == ("build",)
