"""Where do build processes find what belongs to this machine and this session?

In a directory that an append-only cache shows them, so that it is in no key. Its name says which
Pants process it belongs to: a build process is a child of that one, and finds it by `$PPID`. There
they ask the session, which answers from memory.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pants_docker_buildkit
from pants_docker_buildkit.session.disk_advice import advise
from pants_docker_buildkit.session.waits import WAITS_DIRECTORY

CACHE_NAME = "docker_buildkit"
OTHER_CACHE_NAME = "docker_buildkit_again"
"""Another name of the same directory: a process by this name is another run with the same key.

Pants allows lowercase letters and underscores only.
"""

LOOK_UP_CACHE_NAME = "docker_buildkit_look_up"
"""The name of a file: a process by this name is answered by a cache of Pants, or does not start.

It has the same key. Pants needs a directory there before it lays out anything for a process.
"""

EXIT_NO_SESSION = 75
"""The session that asked for a process has no directory here (`EX_TEMPFAIL` of sysexits.h)."""

EXIT_NOT_EXECUTABLE = 126
"""Programs may not run where the directory is, which a message says (as of a shell)."""

EXIT_CONTEXT_NEEDED = 66
"""No cache has the result of a process, and not all that it builds of is there (`EX_NOINPUT`)."""

BUILD_COMMAND = "build"
"""The command of `solver.main` that may find out this."""

SERVE_COMMAND = "serve"
"""The command of the build server."""

PROGRESS_FILE = "progress.log"
TIMELINES_DIRECTORY = "timelines"
SIZES_SUFFIX = ".sizes"
_EVENTS_DIRECTORY = "events"
_PERMITS_DIRECTORY = "permits"
_DELIVERIES_DIRECTORY = "deliveries"
_SCRATCH_DIRECTORY = "tmp"

CACHE_LINK = ".docker-buildkit"
PROGRAM = "run"
PROCESS_PATH = "/usr/local/bin:/usr/bin:/bin"

_PROCESS_IDS = "/proc/self/ns/pid"

SESSION_IN_SANDBOX = f"{CACHE_LINK}/$(uname -n)-$(stat -Lc %i {_PROCESS_IDS} 2>/dev/null)-$PPID"
"""For `/bin/sh` in a sandbox: the directory of the session that started the process."""

RUN_SCRIPT = f"""\
run="{SESSION_IN_SANDBOX}/{PROGRAM}"
[ -e "$run" ] || exit {EXIT_NO_SESSION}
exec /bin/sh "$run" "$@"
"""
"""For `/bin/sh -c` in a sandbox: run a command of `solver.main` for the session.

It is in the key of each build, so what it can leave to the program that it starts, it does.
"""

TOOL_SCRIPT = f"""\
session="{{chroot}}/{SESSION_IN_SANDBOX.replace("$PPID", "")}"
process=$PPID
until [ -e "$session$process/{PROGRAM}" ] || [ "${{process:-0}}" -le 1 ]; do
  above="$(sed -n 's/^PPid://p' "/proc/$process/status" 2>/dev/null || ps -o ppid= -p "$process")"
  process="$(echo $above)"
done
run="$session$process/{PROGRAM}"
if [ ! -e "$run" ]; then
  echo "An image runs where Pants runs, not in one of its environments." >&2
  exit {EXIT_NO_SESSION}
fi
exec /bin/sh "$run" "$@"
"""
"""The same for a process that Pants started, or one that such a process started.

For it Pants writes a directory for `{{chroot}}`: it may start elsewhere than in its sandbox.
"""

DELIVERED_FILES = "delivery/files"
"""In the sandbox of a delivery: what is delivered."""

DELIVERY_MARKER = "delivery/result"
"""A path that a delivery names as its output, for the reason of `MUTABLE_MARKER`."""

DELIVERY_SCRIPT = f"""\
session="{SESSION_IN_SANDBOX}"
[ -d "$session" ] || exit {EXIT_NO_SESSION}
to="$session/{_DELIVERIES_DIRECTORY}/$1"
mkdir -p "$to" && mv {DELIVERED_FILES} "$to/$2"
"""
"""For `/bin/sh -c` in a sandbox: bring the files of contexts to where a build finds them."""

# Of a relative entry of the module search path, while that still leads there.
PACKAGE_ROOT = Path(pants_docker_buildkit.__file__).absolute().parent.parent
_NAME_FILE = "name"
_REMOVED_SUFFIX = ".removed"
_FOREIGN_AGE = 7 * 24 * 3600.0
_PROGRAM_TEXT = """\
#!/bin/sh
if [ ! -x "$0" ]; then
  echo "Builds start programs in '{cache}' below '[GLOBAL].named_caches_dir', but its file" \
    "system lets none start (noexec). Choose another '[GLOBAL].named_caches_dir'." >&2
  exit {not_executable}
fi
program=main function=main
if [ "$1" = {command} ]; then
  [ -e "${{0%/*}}/{permits}/$2.$3.json" ] || exit {needed}
  program=build_client function=run
fi
if [ ! -e {package_root}/{package} ]; then
  echo "The plugin must stay at" {package_root} "while Pants runs, but it is gone. Put it back," \
    "or change what names it, and end the process 'pantsd'." >&2
  exit 1
fi
exec {python} -I -S -c "import sys; sys.path.insert(0, sys.argv[1])
from pants_docker_buildkit.solver.$program import $function
sys.exit($function(*sys.argv[2:]))" {package_root} "${{0%/*}}" "$@"
"""


class UnusableDirectoryError(Exception):
    """A session or a build cannot have its directory. `finding` is what is wrong with `path`."""

    def __init__(self, path: Path, finding: str) -> None:
        self.path = path
        self.finding = finding
        super().__init__(
            f"Builds need {path}, which must be writable by you and by nobody else, on a file"
            f" system with modes, links and sockets, but: {finding.rstrip('.')}."
            f" {advise(finding, 'Remove it')}, or choose another `[GLOBAL].named_caches_dir`."
        )


def session_directory(named_caches: Path) -> Path:
    """Where the session of the Pants process that we are in has its directory."""
    return named_caches / CACHE_NAME / f"{_process_ids()}-{os.getpid()}"


def _process_ids() -> str:
    """Whose process IDs are ours: those of a host, or of a container that has a host's name.

    The namespace has a number on Linux, where there are such containers. The name is that of now:
    a laptop may get another one in another network, and `platform` would remember the first.
    """
    try:
        namespace = str(os.stat(_PROCESS_IDS).st_ino)
    except OSError:
        namespace = ""
    return f"{os.uname().nodename}-{namespace}"


def event_path(session: Path, build_key: str, generation: int) -> Path:
    """What exists once this session has run the build."""
    return session / _EVENTS_DIRECTORY / f"{build_key}.{generation}.json"


def permit_path(session: Path, build_key: str, generation: int) -> Path:
    """What allows the process of a build to build, and says what its contexts must hold.

    Before it is there, the process ends with `EXIT_CONTEXT_NEEDED` at once: it only was a question
    to the process cache.
    """
    return session / _PERMITS_DIRECTORY / f"{build_key}.{generation}.json"


def deliveries_path(session: Path, build_key: str, generation: int) -> Path:
    """The directory whose directories hold files that were brought for the contexts of a build."""
    return session / _DELIVERIES_DIRECTORY / delivery_name(build_key, generation)


def delivery_name(build_key: str, generation: int) -> str:
    """The first argument of `DELIVERY_SCRIPT`. The second is a name that no other delivery has."""
    return f"{build_key}.{generation}"


def is_directory_of(directory: Path, name: str) -> bool:
    """Whether the directory is there, complete, for the session of this name."""
    try:
        return (directory / _NAME_FILE).read_text() == name
    except OSError:
        return False


def make_directory(directory: Path) -> None:
    """Make the directory of a session, in place of that of any before, and of any that crashed.

    Raises `UnusableDirectoryError`, also where the directory above it is not the user's alone:
    whoever can write there can have a program of theirs run as the user.
    """
    try:
        _make_root(directory.parent)
        _make_dead_end(directory.parent.with_name(LOOK_UP_CACHE_NAME))
        _remove_stale(directory.parent)
        remove_directory(directory)
        for subdirectory in ("", _EVENTS_DIRECTORY, _PERMITS_DIRECTORY, WAITS_DIRECTORY):
            (directory / subdirectory).mkdir(mode=0o700)
        _write_program(directory)
    except OSError as e:
        # Of a link, the second name is that of the link.
        path = Path(e.filename2 or e.filename or directory)
        raise UnusableDirectoryError(path, e.strerror or str(e)) from e


def _write_program(directory: Path) -> None:
    program = _PROGRAM_TEXT.format(
        cache=CACHE_NAME,
        not_executable=EXIT_NOT_EXECUTABLE,
        command=BUILD_COMMAND,
        permits=_PERMITS_DIRECTORY,
        needed=EXIT_CONTEXT_NEEDED,
        python=shlex.quote(sys.executable),
        package_root=shlex.quote(str(PACKAGE_ROOT)),
        package=pants_docker_buildkit.__name__,
    )
    _write_private(directory / PROGRAM, program.encode(), 0o700)


def complete_directory(directory: Path, name: str) -> None:
    """Say that all is in the directory that the processes of this session need."""
    write_private(directory / _NAME_FILE, name.encode())


@contextmanager
def scratch_directory(session: Path) -> Iterator[Path]:
    """A directory of its own for a process. Where that is killed, it goes with the session's."""
    # A sandbox shows the session's under another path, which programs do not find from elsewhere.
    parent = session.resolve() / _SCRATCH_DIRECTORY
    parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="") as path:
        yield Path(path)


def remove_directory(directory: Path) -> None:
    """Remove a session's directory, and all that is in it.

    By another name: a process that is about to end may write there, and must not keep any of it.
    """
    removed = directory.with_name(
        f"{directory.name.removesuffix(_REMOVED_SUFFIX)}{_REMOVED_SUFFIX}"
    )
    if removed != directory:
        shutil.rmtree(removed, ignore_errors=True)
        with suppress(OSError):
            directory.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)
    # Where none may be renamed.
    shutil.rmtree(directory, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only the user can read; whoever reads it finds all of it or nothing."""
    _write_private(path, content, 0o600)


def _write_private(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        # Nobody looks for half of a file, which a full disk has no room for.
        with suppress(OSError):
            temporary.unlink()
        raise


def _make_dead_end(path: Path) -> None:
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        if not path.is_file():
            # With this, a process starts in a directory where it finds no session.
            check_private(path)


def _make_root(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    try:
        root.mkdir(mode=0o700)
    except FileExistsError:
        check_private(root)
    other = root.with_name(OTHER_CACHE_NAME)
    try:
        other.symlink_to(root.name)
    except FileExistsError:
        if not other.is_symlink() or os.readlink(other) != root.name:
            raise UnusableDirectoryError(other, f"it is not the link to '{root.name}'") from None


def check_private(root: Path) -> None:
    """Raise `UnusableDirectoryError` unless it is a directory in which only the user may write."""
    status = root.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        is_link = stat.S_ISLNK(status.st_mode)
        raise UnusableDirectoryError(root, "it is a link" if is_link else "it is no directory")
    if status.st_uid != os.getuid():
        raise UnusableDirectoryError(root, f"it belongs to the user with the ID {status.st_uid}")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnusableDirectoryError(root, f"others may write there (its mode is {mode:04o})")
    if mode != stat.S_IRWXU:
        # Pants makes it as the umask says where a process needs it first.
        root.chmod(stat.S_IRWXU)


def _remove_stale(root: Path) -> None:
    """Remove the directories of sessions that were killed."""
    own = _process_ids()
    for directory in root.iterdir():
        owner, _, pid = directory.name.removesuffix(_REMOVED_SUFFIX).rpartition("-")
        if not pid.isdigit():
            continue
        # Where another container or host shares this cache, its processes are not ours to see.
        is_stale = not _is_alive(int(pid)) if owner == own else _age(directory) > _FOREIGN_AGE
        if is_stale:
            remove_directory(directory)


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
