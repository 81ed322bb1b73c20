"""Who is a build to a server of Git that is reached by SSH, and what is to be done if it is nobody?

BuildKit logs in with the agent or the keys that `--ssh` forwards as `default`. So whoever asks the
server before the build has to do the same: the user may have no other key.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

from pants_docker_buildkit.registry.redaction import redact

_DEFAULT = "default"
_AGENT = "SSH_AUTH_SOCK"
_COMMAND = "GIT_SSH_COMMAND"
_CHOSEN = (_COMMAND, "GIT_SSH")
_AGENT_FIRST = f"ssh -o IdentityAgent={_AGENT} -o IdentitiesOnly=no"
"""Whatever the user's configuration says of other agents and keys."""

_LEFT_OUT = "the SSH key was left out: "
# OpenSSH takes no key from a file that others can read, while buildx does. An agent takes it from
# anywhere, and keeps it in memory. It ends by itself if this script is killed.
_WITH_KEYS = f"""\
while [ "$1" != -- ]; do
  ssh-add -q - <"$1" >/dev/null 2>&1 || echo "{_LEFT_OUT}$1" >&2
  shift
done
shift
"$@"
code=$?
kill "$SSH_AGENT_PID"
exit $code
"""

_REFUSED_HOST = "Host key verification failed."
_CHANGED_HOST = "REMOTE HOST IDENTIFICATION HAS CHANGED"


@dataclass(frozen=True)
class SshLogin:
    """A login to the server of the repository at `url`.

    `agent` is the socket of an agent, and `keys` are files with private keys that are used instead.
    Without either, it is what the user's SSH finds by itself.
    """

    url: str
    agent: Optional[str] = None
    keys: tuple[str, ...] = ()

    @classmethod
    def of_build(cls, url: str, ssh: Iterable[str], home: str) -> Optional[SshLogin]:
        """What builds with these values of `--ssh` use; `None` where no SSH is needed.

        Their paths are absolute, or below the `home` of the user, as in `~/key`.
        """
        if not is_ssh(url):
            return None
        agents: list[str] = []
        keys: list[str] = []
        for path in _default_paths(ssh):
            path = os.path.join(home, path[2:]) if path.startswith("~/") else path
            (agents if _is_socket(path) else keys).append(path)
        return cls(url, agent=next(iter(agents), None), keys=tuple(dict.fromkeys(keys)))

    def environment(
        self, environment: Mapping[str, str], *, has_own_command: bool
    ) -> dict[str, str]:
        """What Git runs in. `has_own_command` says that the user has told it how to run SSH."""
        changed = dict(environment)
        if self.agent is not None:
            changed[_AGENT] = self.agent
        is_chosen = has_own_command or any(name in environment for name in _CHOSEN)
        if self.is_given and not is_chosen:
            changed[_COMMAND] = _AGENT_FIRST
        return {**changed, "SSH_ASKPASS_REQUIRE": "never"}

    @property
    def is_given(self) -> bool:
        """Whether the build says which keys are used, or which agent."""
        return self.agent is not None or bool(self.keys)

    def command(self, command: Sequence[str], path: str | None) -> list[str]:
        """How `command` is run with the keys, where `path` has an agent of SSH."""
        if not self.keys or shutil.which("ssh-agent", path=path) is None:
            return list(command)
        return ["ssh-agent", "sh", "-c", _WITH_KEYS, "git", *self.keys, "--", *command]

    def advice(self, said: str) -> str:
        """What else there is to say of a failure, after all that was `said`; empty if nothing."""
        left_out = [
            line[len(_LEFT_OUT) :] for line in said.splitlines() if line.startswith(_LEFT_OUT)
        ]
        if _REFUSED_HOST in said:
            return self._host_advice(has_changed=_CHANGED_HOST in said)
        if not left_out:
            return ""
        return (
            f"The SSH key {', '.join(left_out)} was left out: it cannot be read, is none, or has a"
            " passphrase. Add one with a passphrase to an agent with 'ssh-add', and forward that."
        )

    def _host_advice(self, *, has_changed: bool) -> str:
        host, port = _server(self.url)
        name = host if port is None else f"[{host}]:{port}"
        keyscan = f"'ssh-keyscan {host}'" if port is None else f"'ssh-keyscan -p {port} {host}'"
        forget = f", after 'ssh-keygen -R {name}'" if has_changed else ""
        is_wrong = (
            "has another key than known_hosts has" if has_changed else "is not in known_hosts"
        )
        return (
            f"The server {host} {is_wrong}. Compare what {keyscan} prints with what its operator"
            f" says, and add it to ~/.ssh/known_hosts{forget}."
        )


def say_without_keys(said: str) -> str:
    """What Git and SSH said, without what is told by `advice`."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(_LEFT_OUT))


def is_ssh(url: str) -> bool:
    """Whether the repository at `url` is reached by SSH."""
    scheme, separator, _ = url.partition("://")
    if separator:
        return scheme.lower() == "ssh"
    return "@" in url.partition(":")[0]


def _server(url: str) -> tuple[str, Optional[int]]:
    """The host, and the port if it is not that of SSH."""
    if "://" not in url:
        return url.partition(":")[0].rpartition("@")[2], None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return redact(url), None
    return parts.hostname or redact(url), None if port == 22 else port


def _default_paths(ssh: Iterable[str]) -> Iterator[str]:
    """What BuildKit gets for repositories of Git, whatever steps mount."""
    for each in ssh:
        name, _, paths = each.partition("=")
        if name in ("", _DEFAULT):
            # What has a `=` of its own is an option.
            yield from (path for path in paths.split(",") if path and "=" not in path)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
