from __future__ import annotations

import os
import stat
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.session.directory import (
    CACHE_LINK,
    CACHE_NAME,
    EXIT_NO_SESSION,
    EXIT_NOT_EXECUTABLE,
    PROGRAM,
    RUN_SCRIPT,
    SESSION_IN_SANDBOX,
    TOOL_SCRIPT,
    remove_directory,
    write_private,
)
from pants_docker_buildkit.session.local_engine import LocalEngine
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.session.running import (
    RunningSession,
    Services,
    SessionEndedError,
    SessionKeeper,
)
from pants_docker_buildkit.session.unix_socket import SOCKET_NAME
from pants_docker_buildkit.solver.main import PLATFORMS_COMMAND
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.session import Session

OURS = f"{os.uname().nodename}-{os.stat('/proc/self/ns/pid').st_ino}"
PLATFORMS = (PLATFORMS_COMMAND, PLATFORMS_COMMAND)
ENDED_PID = 2**22 + 1
"""More than the largest process id of Linux."""


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    """Where sessions lie. `open_session` has not been called yet."""
    directory = tmp_path / "named_caches" / CACHE_NAME
    directory.mkdir(parents=True)
    return directory


def open_session(runner: ImageRunner, caches: Path, *options: str, **env: str) -> Path:
    """Its directory."""
    runner.enter()
    runner.runner.set_options(
        [f"--named-caches-dir={caches.parent}", *(f"--docker-buildkit-{each}" for each in options)],
        env={"PATH": "/usr/bin:/bin", **env},
    )
    return runner.runner.request(Session, ()).directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_can_read_what_a_session_knows(runner: ImageRunner, caches: Path) -> None:
    session = open_session(runner, caches, HOME="/home/me")
    assert mode(session) == 0o700
    assert mode(session / SOCKET_NAME) == 0o600
    assert mode(session / "run") == 0o700
    assert {mode(path) for path in session.iterdir() if path.is_dir()} == {0o700}


def test_the_profile_is_the_environment_that_docker_may_see(
    runner: ImageRunner, caches: Path
) -> None:
    given = {"HOME": "/home/me", "DOCKER_HOST": "ssh://far", "SOURCE_DATE_EPOCH": "1", "TOKEN": "x"}
    session = open_session(runner, caches, **given)
    assert dict(SessionClient(session).profile.environment) == {
        "HOME": "/home/me",
        "DOCKER_HOST": "ssh://far",
        "PATH": "/usr/bin:/bin",
    }


@pytest.mark.parametrize(
    ("option", "program"),
    [
        pytest.param("docker-28", "docker-28", id="name"),
        pytest.param("/opt/docker", "/opt/docker", id="absolute"),
        pytest.param("~/bin/docker", "/home/me/bin/docker", id="home"),
        pytest.param("bin/docker", "{buildroot}/bin/docker", id="in the repository"),
    ],
)
def test_the_profile_says_which_docker_was_chosen(
    runner: ImageRunner, caches: Path, option: str, program: str
) -> None:
    session = open_session(runner, caches, f"docker={option}", HOME="/home/me")
    assert SessionClient(session).profile.docker == program.format(
        buildroot=runner.runner.build_root
    )


@pytest.mark.parametrize("number", [0, -1])
def test_a_registry_is_waited_for_some_time(runner: ImageRunner, caches: Path, number: int) -> None:
    with pytest.raises(ExecutionError, match=f"of seconds above zero, but it is {number}"):
        open_session(runner, caches, f"registry-timeout={number}")


def test_a_registry_may_be_waited_for_as_long_as_clocks_go(
    runner: ImageRunner, caches: Path
) -> None:
    session = open_session(runner, caches, f"registry-timeout={10**18}")
    assert SessionClient(session).profile.reach.patience.read_timeout < threading.TIMEOUT_MAX


def test_a_new_session_knows_nothing_of_the_one_before(runner: ImageRunner, caches: Path) -> None:
    first = open_session(runner, caches, HOME="/home/me")
    left_over = first / "events" / "a.0.json"
    left_over.write_text("")
    assert open_session(runner, caches, HOME="/home/you") == first
    assert not left_over.exists()
    assert dict(SessionClient(first).profile.environment)["HOME"] == "/home/you"


def test_no_file_holds_what_a_session_knows(runner: ImageRunner, caches: Path) -> None:
    session = open_session(runner, caches, HOME="/home/me", HTTPS_PROXY="http://me:s3cret@p")
    files = [path for path in caches.parent.rglob("*") if path.is_file()]
    assert files
    assert not any(b"s3cret" in path.read_bytes() for path in files)
    assert dict(SessionClient(session).profile.environment)["HTTPS_PROXY"] == "http://me:s3cret@p"


def test_what_a_session_wrote_stays_when_it_is_opened_again(caches: Path) -> None:
    directory, keeper = caches / "session", SessionKeeper()

    def open_as(number: int) -> RunningSession:
        profile = Profile(Reach((("HOME", f"/home/{number}"),)))
        services = Services(RegistryClients(), LocalEngine("nowhere", lambda: nullcontext("none")))
        keeper.open(
            str(number), lambda: RunningSession(directory, profile, {}, Accounts(), services)
        )
        return keeper.running

    first = open_as(1)
    write_private(directory / "written", b"")
    assert open_as(1) is first
    assert (directory / "written").exists()
    assert open_as(2) is not first
    assert not (directory / "written").exists()
    assert SessionClient(directory).profile == Profile(Reach((("HOME", "/home/2"),)))
    with pytest.raises(SessionEndedError):
        open_as(1)
    remove_directory(directory)
    second = keeper.running
    assert open_as(2) is second
    assert SessionClient(directory).profile == Profile(Reach((("HOME", "/home/2"),)))
    keeper.close()
    with pytest.raises(LookupError):
        _ = keeper.running


def test_a_session_of_another_graph_with_the_same_number_is_another_one(caches: Path) -> None:
    first = open_session(ImageRunner(), caches)
    write_private(first / "written", b"")
    assert open_session(ImageRunner(), caches) == first
    assert not (first / "written").exists()


def test_sessions_that_were_killed_are_removed_and_others_are_not(
    runner: ImageRunner, caches: Path
) -> None:
    dead, alive = caches / f"{OURS}-{ENDED_PID}", caches / f"{OURS}-{os.getppid()}"
    foreign, old = caches / f"elsewhere-1-{ENDED_PID}", caches / "elsewhere-1-1"
    container = caches / f"{os.uname().nodename}-1-{ENDED_PID}"
    history, odd = caches / "history", caches / f"{OURS}-{'9' * 30}"
    for directory in (dead, alive, foreign, old, container, history, odd):
        directory.mkdir()
        (directory / "file").touch()
    month_ago = time.time() - 30 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    session = open_session(runner, caches)
    assert {path.name for path in caches.iterdir()} == {
        path.name for path in (alive, foreign, container, history, session)
    }


def test_a_closed_session_leaves_nothing(runner: ImageRunner, caches: Path) -> None:
    session = open_session(runner, caches)
    remove_directory(session)
    assert list(caches.iterdir()) == []
    remove_directory(session)


def test_a_private_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([value]) * 100_000 for value in b"abcdef"]
    write_private(path, contents[0])
    seen = set()
    writers = [threading.Thread(target=write_private, args=(path, each)) for each in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_bytes())
    assert seen <= set(contents)
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def run_in_sandbox(sandbox: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As Pants does, whose process the shell is a child of."""
    return subprocess.run(
        ["/bin/sh", "-c", script, *arguments],
        cwd=sandbox,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_finds_the_session_of_the_pants_that_started_it(
    runner: ImageRunner, caches: Path, tmp_path: Path
) -> None:
    session = open_session(runner, caches)
    (tmp_path / CACHE_LINK).symlink_to(caches)
    found = run_in_sandbox(tmp_path, f'cd "{SESSION_IN_SANDBOX}" && pwd -P')
    assert found.stdout.strip() == str(session.resolve())


def test_a_cache_that_somebody_else_made_first_is_an_error_that_names_it(
    runner: ImageRunner, caches: Path
) -> None:
    caches.chmod(0o777)
    with pytest.raises(ExecutionError) as e:
        open_session(runner, caches)
    assert [str(each) for each in e.value.wrapped_exceptions] == [
        f"Builds need {caches}, which must be writable by you and by nobody else, on a file system"
        " with modes, links and sockets, but: others may write there (its mode is 0777). Remove"
        " it, or choose another `[GLOBAL].named_caches_dir`."
    ]


def test_a_process_without_a_session_says_so_by_its_exit_code(tmp_path: Path) -> None:
    answer = run_in_sandbox(tmp_path, RUN_SCRIPT, "build", "build", "key", "0")
    assert (answer.returncode, answer.stdout, answer.stderr) == (EXIT_NO_SESSION, "", "")


def test_a_tool_is_found_by_what_a_process_starts_and_says_where_none_is(
    runner: ImageRunner, caches: Path, tmp_path: Path
) -> None:
    script = TOOL_SCRIPT.replace("{chroot}", str(tmp_path))
    nested = ("sh", "sh", "-c", 'cd /; /bin/sh -c "$@"; exit $?', "sh", script, "run", "unknown")
    alone = run_in_sandbox(tmp_path, '"$@"; exit $?', *nested)
    assert (alone.returncode, alone.stdout) == (EXIT_NO_SESSION, "")
    assert alone.stderr == "An image runs where Pants runs, not in one of its environments.\n"
    open_session(runner, caches, PATH=str(tmp_path))
    (tmp_path / CACHE_LINK).symlink_to(caches)
    answer = run_in_sandbox(tmp_path, '"$@"; exit $?', *nested)
    assert answer.returncode not in (0, EXIT_NO_SESSION)
    assert "unknown" in answer.stderr


def test_a_process_says_that_no_program_may_run_in_the_directory_of_its_session(
    runner: ImageRunner, caches: Path, tmp_path: Path
) -> None:
    session = open_session(runner, caches)
    # As where it is mounted with `noexec`.
    (session / PROGRAM).chmod(0o600)
    (tmp_path / CACHE_LINK).symlink_to(caches)
    answer = run_in_sandbox(tmp_path, RUN_SCRIPT, "build", "build", "key", "0")
    assert (answer.returncode, answer.stdout) == (EXIT_NOT_EXECUTABLE, "")
    assert answer.stderr == (
        f"Builds start programs in '{CACHE_NAME}' below '[GLOBAL].named_caches_dir', but its file"
        " system lets none start (noexec). Choose another '[GLOBAL].named_caches_dir'.\n"
    )


def test_the_program_runs_outside_of_pants_with_the_standard_library_only(
    runner: ImageRunner, caches: Path, tmp_path: Path
) -> None:
    open_session(runner, caches, PATH=str(tmp_path))
    (tmp_path / CACHE_LINK).symlink_to(caches)
    answer = run_in_sandbox(tmp_path, RUN_SCRIPT, *PLATFORMS, "key")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Building needs the Docker CLI with buildx, but no executable")
