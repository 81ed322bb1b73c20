"""Where do build processes find what belongs to this machine and this session?

In a directory that an append-only cache shows them, so that it is in no key. Its name says which
Pants process it belongs to: a build process is a child of that one, and finds it by `$PPID`. There
they ask the session, which answers from memory.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pants.engine.internals.session import RunId, SessionValues
from pants.engine.rules import Rule, collect_rules
from pants.option.global_options import NamedCachesDirOption

import pants_docker_buildkit
from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.solver.errors import EXIT_NO_SESSION
from pants_docker_buildkit.solver.profile import EVENTS_DIRECTORY, Profile
from pants_docker_buildkit.solver.session_answers import SessionAnswers
from pants_docker_buildkit.solver.session_socket import SessionServer
from pants_docker_buildkit.util_rules.credentials import (
    AccountsRequest,
    find_accounts,
    source_environment,
)
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironmentRequest,
    resolve_docker_environment,
)

CACHE_NAME = "docker_buildkit"
OTHER_CACHE_NAME = "docker_buildkit_again"
"""Another name of the same directory: a process by this name is another run with the same key.

Pants allows lowercase letters and underscores only.
"""

CACHE_LINK = ".docker-buildkit"
WAITS_DIRECTORY = "waits"
PROCESS_PATH = "/usr/local/bin:/usr/bin:/bin"

SESSION_IN_SANDBOX = f"{CACHE_LINK}/$(uname -n)-$PPID"
"""For `/bin/sh` in a sandbox: the directory of the session that started the process."""

RUN_SCRIPT = f"""\
run="{SESSION_IN_SANDBOX}/run"
[ -x "$run" ] || exit {EXIT_NO_SESSION}
exec "$run" "$@"
"""
"""For `/bin/sh -c` in a sandbox: run a command of `solver.main` for the session."""

# Of a relative entry of the module search path, while that still leads there.
_PACKAGE_ROOT = Path(pants_docker_buildkit.__file__).absolute().parent.parent
_NAME_FILE = "name"
_FOREIGN_AGE = 7 * 24 * 3600.0
_RUN_SCRIPT = """\
#!/bin/sh
exec {python} -I -c 'import sys; sys.path.insert(0, sys.argv[1])
from pants_docker_buildkit.solver.main import main
sys.exit(main(*sys.argv[2:]))' {package_root} "${{0%/*}}" "$@"
"""


@dataclass(frozen=True)
class SessionRequest:
    """Asks for the directory of this session."""


@dataclass(frozen=True)
class Session:
    """The directory of this session. The same value in every session of one Pants process."""

    directory: str

    @property
    def path(self) -> Path:
        """The directory."""
        return Path(self.directory)


class KeptSession:
    """The session that runs now, of one graph of rules. A process may have several graphs.

    In a graph, a `RunId` stands for one session.
    """

    def __init__(self) -> None:
        self._graph = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._answers: SessionAnswers | None = None

    @property
    def answers(self) -> SessionAnswers:
        """What its processes are answered, once it was opened. Raises `LookupError` before."""
        if self._answers is None:
            raise LookupError("no session was opened")
        return self._answers

    def open(self, directory: Path, run_id: RunId, create: Callable[[], SessionAnswers]) -> None:
        """Have the directory of this session, and answer there. Does nothing the second time."""
        name = f"{self._graph}-{run_id}"
        with self._lock:
            if not _is_open(directory, name):
                self._answers = create()
                prepare_session(directory, name, self._answers)


@dataclass(frozen=True)
class KeptSessionRequest:
    """Asks for the one `KeptSession` of this graph."""


@rule
async def keep_session(_: KeptSessionRequest) -> KeptSession:
    return KeptSession()


@dataclass(frozen=True)
class SessionMarkRequest:
    """Asks for the mark of this session."""


@dataclass(frozen=True)
class SessionMark:
    """Another value in every session: a rule that asks for it runs again in the next one."""

    run_id: RunId


@rule
async def mark_session(_: SessionMarkRequest, run_id: RunId) -> SessionMark:
    return SessionMark(run_id)


def session_directory(named_caches: NamedCachesDirOption) -> Path:
    """Where the session of the Pants process that we are in has its directory."""
    return Path(named_caches.val) / CACHE_NAME / f"{platform.node()}-{os.getpid()}"


def prepare_session(directory: Path, name: str, answers: SessionAnswers) -> None:
    """Make the directory of the session with this name, and end whichever had it before."""
    _link_other_name(directory.parent)
    _remove_stale(directory.parent)
    close_session(directory)
    for subdirectory in ("", EVENTS_DIRECTORY, WAITS_DIRECTORY):
        (directory / subdirectory).mkdir(mode=0o700, parents=True, exist_ok=True)
    SessionServer(directory, answers).start()
    script = _RUN_SCRIPT.format(
        python=shlex.quote(sys.executable), package_root=shlex.quote(str(_PACKAGE_ROOT))
    )
    _write_private(directory / "run", script.encode(), 0o700)
    write_private(directory / _NAME_FILE, name.encode())


@rule(desc="Open session for builds")
async def open_session(
    _: SessionRequest,
    named_caches: NamedCachesDirOption,
    run_id: RunId,
    session_values: SessionValues,
) -> Session:
    docker = await resolve_docker_environment(DockerEnvironmentRequest(), **implicitly())
    accounts = (await find_accounts(AccountsRequest(), **implicitly())).accounts
    kept = await keep_session(KeptSessionRequest(), **implicitly())
    directory = session_directory(named_caches)
    profile = Profile(docker.variables, docker.docker)
    environment = source_environment(session_values, docker)
    kept.open(directory, run_id, lambda: SessionAnswers(profile, environment, accounts.find_for))
    return Session(str(directory))


def _is_open(directory: Path, name: str) -> bool:
    try:
        return (directory / _NAME_FILE).read_text() == name
    except FileNotFoundError:
        return False


def _link_other_name(root: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        root.with_name(OTHER_CACHE_NAME).symlink_to(root.name)


def close_session(directory: Path) -> None:
    """Remove a session's directory, and all that it knew."""
    shutil.rmtree(directory, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only the user can read; whoever reads it finds all of it or nothing."""
    _write_private(path, content, 0o600)


def _write_private(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def _remove_stale(root: Path) -> None:
    """Remove the directories of sessions that were killed."""
    if not root.is_dir():
        return
    for directory in root.iterdir():
        node, _, pid = directory.name.rpartition("-")
        if not pid.isdigit():
            continue
        if node == platform.node():
            is_stale = not _is_alive(int(pid))
        else:
            # Another container or host shares this cache; its processes are not ours to see.
            is_stale = _age(directory) > _FOREIGN_AGE
        if is_stale:
            close_session(directory)


def _age(directory: Path) -> float:
    try:
        return time.time() - directory.stat().st_mtime
    except FileNotFoundError:
        # Another session removed it just now.
        return 0.0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def rules() -> Iterable[Rule]:
    return collect_rules()
