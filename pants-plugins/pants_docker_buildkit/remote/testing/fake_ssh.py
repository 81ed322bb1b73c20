"""SSH without a server: programs that log in with the keys of an agent, or do not."""

from __future__ import annotations

import os
from pathlib import Path

KEY, LOCKED_KEY = "a key\n", "a key with a passphrase\n"

_AGENT = """\
export SSH_AUTH_SOCK={directory}/agent.$$
sleep 600 &
export SSH_AGENT_PID=$!
exec "$@"
"""
_ADD = """\
key=$(cat)
case $key in *passphrase*) exit 1 ;; esac
echo "$key" >>"$SSH_AUTH_SOCK"
"""
# Git gives it options, the host, and what to run there.
_SSH = """\
echo "$SSH_AUTH_SOCK $*" >>{directory}/calls
for last; do :; done
case " $* " in *" nobody@"*) echo "Host key verification failed." >&2; exit 255 ;; esac
grep -qsx '{key}' "$SSH_AUTH_SOCK" && exec sh -c "$last"
echo "me@localhost: Permission denied (publickey)." >&2
exit 255
"""


class FakeSsh:
    """An `ssh`, an `ssh-agent` and an `ssh-add`, in a directory of their own.

    Who has `KEY` in an agent may log in, as anybody but `nobody`, whose server is not known.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._calls = directory / "calls"
        programs = {"ssh-agent": _AGENT, "ssh-add": _ADD, "ssh": _SSH}
        for name, script in programs.items():
            program = directory / name
            text = script.replace("{directory}", str(directory)).replace("{key}", KEY.strip())
            program.write_text(f"#!/bin/sh\n{text}")
            program.chmod(0o755)
        home = directory / "home"
        home.mkdir()
        self.environment = {"PATH": f"{directory}:{os.environ['PATH']}", "HOME": str(home)}

    def calls(self) -> list[str]:
        """The socket of the agent, and the arguments, of each call of `ssh` so far."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []
