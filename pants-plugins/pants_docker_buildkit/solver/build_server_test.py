"""The build server of a session, with the program of the session and a `docker` that waits."""

from __future__ import annotations

import _socket
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.session import build_server as server_module
from pants_docker_buildkit.session.build_request import (
    ACCEPTED,
    LEAVE,
    MAX_MESSAGE,
    SERVER_NAME,
    parse_request,
    render_request,
)
from pants_docker_buildkit.session.build_server import BuildServer
from pants_docker_buildkit.session.context_files import DIRECTORY, context_row, write_contents
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    EXIT_CONTEXT_NEEDED,
    EXIT_NO_SESSION,
    PROGRAM,
    make_directory,
    permit_path,
)
from pants_docker_buildkit.session.profile import BuildSettings, Profile
from pants_docker_buildkit.session.questions import SessionAnswers
from pants_docker_buildkit.session.unix_socket import SessionServer, short_path
from pants_docker_buildkit.solver import build_client, build_server, main
from pants_docker_buildkit.solver.definition import BuildDefinition, BuildJob
from pants_docker_buildkit.solver.errors import EXIT_FAILED, EXIT_INTERRUPTED
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, ROOT
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.testing.processes import SOON, has_ended, parent, wait_until

KEY = "0123abcd"
FAR = "Name: far\nDriver: remote\n\nNodes:\nName: far0\nStatus: running\n"


def modules_of(code: str) -> set[str]:
    """What the Python of a build process has imported once it has run this code."""
    say = "import sys; sys.path.insert(0, sys.argv[1])"
    command = [sys.executable, "-I", "-S", "-c", f"{say}\n{code}\nprint(*sys.modules)"]
    package_root = str(Path(__file__).parents[2])
    return set(subprocess.check_output([*command, package_root], text=True).split())


def test_a_build_process_imports_nothing_that_takes_time() -> None:
    more = modules_of("import pants_docker_buildkit.solver.build_client") - modules_of("")
    compiled_in = {"_socket", "posix", "__future__"}
    assert {each for each in more if not each.startswith("pants_docker_buildkit")} <= compiled_in


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=SOON)


class Session:
    """A session, the sandbox of a build, and the server that the build finds."""

    def __init__(self, directory: Path) -> None:
        self.sandbox = directory / "sandbox"
        self.directory = directory / "caches" / "session"
        self.docker = FakeDocker(directory / "bin")
        self.pids = directory / "pids"
        make_directory(self.directory)
        path = f"{self.docker.directory}:/usr/bin:/bin"
        answers = SessionAnswers(Profile(Reach((("PATH", path),))), {}, lambda *_: None)
        answers.add_build(KEY, BuildSettings(target="src/app:image"))
        SessionServer(self.directory, answers).start()
        (self.sandbox / ROOT / DOCKERFILE).parent.mkdir(parents=True)
        (self.sandbox / ROOT / DOCKERFILE).write_text("FROM scratch\n")
        definition = BuildDefinition("d" * 64, f"blake3:{'c' * 64}", ("linux/amd64",), "oci")
        job = BuildJob(f"blake3:{'1' * 64}", definition, ())
        (self.sandbox / ROOT / JOB_FILE).write_bytes(job.to_json())
        (self.sandbox / "link").symlink_to(self.directory.parent)
        self.docker.answer("buildx inspect", FAR)
        self.server = BuildServer()

    def serve(self, server: BuildServer | None = None) -> None:
        """Have a server that is ready. While it starts, a build waits, but only so long."""
        (server or self.server).serve(self.directory)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(SOON)
            with short_path(self.directory / SERVER_NAME) as path:
                connection.connect(path)
            assert connection.recv(len(ACCEPTED)) == ACCEPTED

    def permit(self) -> None:
        write_contents(permit_path(self.directory, KEY, 0), [context_row("context", DIRECTORY)])

    def buildx(self, run: str) -> None:
        self.docker.answer("buildx build", run=f"echo $$ $PPID >{self.pids}; {run}", exit_code=3)

    def start(self, key: str = KEY, **environment: str) -> subprocess.Popen[str]:
        """What Pants starts in the sandbox."""
        return subprocess.Popen(
            [f"link/{self.directory.name}/{PROGRAM}", BUILD_COMMAND, key, "0"],
            cwd=self.sandbox,
            env={"PATH": "/usr/bin:/bin", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def begin(self) -> tuple[subprocess.Popen[str], int, int]:
        """What Pants starts for a build that goes on, buildx, and the build that started it."""
        self.permit()
        self.buildx("exec sleep 600")
        process = self.start()
        return (process, *self.running())

    def running(self) -> tuple[int, int]:
        """buildx, and the build that started it, as soon as they run."""
        wait_until(lambda: self.pids.exists() and len(self.pids.read_text().split()) == 2)
        buildx, build = map(int, self.pids.read_text().split())
        return buildx, build


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    found = Session(tmp_path)
    yield found
    found.server.close()


def test_a_request_arrives_as_it_was_sent() -> None:
    request = (b"/a b", [b"build", b"k", b"0"], {b"PATH": b"/bin=x", b"E": b""})
    assert parse_request(render_request(*request)) == request


def test_a_build_fails_alike_with_and_without_a_server(session: Session) -> None:
    session.permit()
    session.buildx("echo no such luck >&2")
    ends = []
    for is_served in (False, True):
        if is_served:
            session.serve()
        process = session.start()
        _, said = process.communicate(timeout=SOON)
        ends.append((process.returncode, said))
        _, build = session.running()
        assert (build != process.pid) is is_served
    assert ends[0] == ends[1]
    assert ends[0][0] == EXIT_FAILED
    assert "no such luck" in ends[0][1]


def test_an_environment_that_no_message_holds_does_no_harm(session: Session) -> None:
    session.permit()
    session.buildx("exit 3")
    session.serve()
    process = session.start(PROXIES="x" * MAX_MESSAGE)
    process.communicate(timeout=SOON)
    assert process.returncode == EXIT_FAILED
    _, build = session.running()
    assert build == process.pid


def test_a_system_without_such_sockets_builds_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoSockets:
        AF_UNIX, SOCK_SEQPACKET = _socket.AF_UNIX, _socket.SOCK_SEQPACKET
        SOL_SOCKET, SCM_RIGHTS = _socket.SOL_SOCKET, _socket.SCM_RIGHTS

        @staticmethod
        def socket(_family: int, _kind: int) -> None:
            raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(build_client, "_socket", NoSockets)
    monkeypatch.setattr(main, "main", lambda *arguments: len(arguments))
    assert build_client.run(str(tmp_path), BUILD_COMMAND, KEY, "0") == 4


def test_what_has_no_permit_or_no_session_ends_at_once(session: Session) -> None:
    session.serve()
    process = session.start()
    assert process.communicate(timeout=SOON) == ("", "")
    assert process.returncode == EXIT_CONTEXT_NEEDED
    other = permit_path(session.directory, "other", 0)
    other.touch()
    process = session.start("other")
    assert process.communicate(timeout=SOON) == ("", "")
    assert process.returncode == EXIT_NO_SESSION


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_build_ends_with_the_process_that_asked_for_it(
    session: Session, number: signal.Signals
) -> None:
    session.serve()
    process, buildx, build = session.begin()
    os.killpg(process.pid, number)
    process.communicate(timeout=SOON)
    expected = EXIT_INTERRUPTED if number == signal.SIGINT else -signal.SIGKILL
    assert process.returncode == expected
    wait_until(lambda: has_ended(buildx) and has_ended(build))


@pytest.mark.parametrize("is_served", [False, True])
def test_a_buildx_that_hangs_ends_with_the_build_that_is_interrupted(
    session: Session, *, is_served: bool
) -> None:
    if is_served:
        session.serve()
    session.permit()
    session.buildx("trap '' INT; exec sleep 600")
    process = session.start()
    buildx, _ = session.running()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=SOON)
    assert process.returncode == EXIT_INTERRUPTED
    wait_until(lambda: has_ended(buildx))


def test_what_an_interrupted_build_was_about_to_start_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"

    def start_and_be_interrupted() -> int:
        # As where the interrupt comes before `Popen` returns.
        pid.write_text(str(subprocess.Popen(["/bin/sleep", "600"]).pid))
        return EXIT_INTERRUPTED

    monkeypatch.setattr(build_server, "main", start_and_be_interrupted)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, open(os.devnull, "wb") as output:
        build = os.fork()
        if build == 0:
            build_server._become_build(theirs)
        assert ours.recv(len(ACCEPTED)) == ACCEPTED
        message = render_request(os.fsencode(tmp_path), [], {})
        socket.send_fds(ours, [message], [output.fileno(), output.fileno()])
        assert ours.recv(16) == b"%d" % EXIT_INTERRUPTED
        os.waitpid(build, 0)
    wait_until(lambda: has_ended(int(pid.read_text())))


def test_a_build_that_is_killed_ends_its_process_in_the_same_way(session: Session) -> None:
    session.serve()
    process, buildx, build = session.begin()
    os.kill(build, signal.SIGKILL)
    process.communicate(timeout=SOON)
    assert process.returncode == -signal.SIGKILL
    os.kill(buildx, signal.SIGKILL)


def test_builds_run_side_by_side_and_outlive_their_server(session: Session) -> None:
    session.permit()
    session.buildx("sleep 2; echo failed >&2")
    session.serve()
    process = session.start()
    session.running()
    session.server.leave()
    # The next one finds nobody.
    alone = session.start()
    for each in (process, alone):
        each.communicate(timeout=SOON)
        assert each.returncode == EXIT_FAILED


def test_a_process_serves_one_session_after_the_other(session: Session, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Session(tmp_path / "other")
    servers = []
    for each in (session, other):
        each.serve(session.server)
        process, _, build = each.begin()
        servers.append(parent(build))
        end(process)
        session.server.leave()
    assert servers[0] == servers[1]


def test_a_server_that_was_killed_is_replaced_in_the_next_session(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Session(tmp_path / "other")
    session.serve()
    first, buildx, build = session.begin()
    server = parent(build)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: has_ended(server))
    session.server.leave()
    # What it had become goes on.
    assert not has_ended(buildx)
    other.serve(session.server)
    second, _, replaced = other.begin()
    # Without a server, the process itself would be the build.
    assert replaced != second.pid
    for each in (first, second):
        end(each)


def test_a_server_ends_with_pants(session: Session) -> None:
    session.serve()
    process, _, build = session.begin()
    server = parent(build)
    session.server.close()
    wait_until(lambda: has_ended(server))
    end(process)


def test_a_server_ends_with_a_graph_of_rules_that_nobody_closes(session: Session) -> None:
    session.serve()
    process, _, build = session.begin()
    server = parent(build)
    session.server = BuildServer()
    # A socket that is left to it would warn.
    gc.collect()
    wait_until(lambda: has_ended(server))
    end(process)


def test_a_server_that_no_session_needs_for_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_server, "_IDLE_SECONDS", 0.1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)

    def is_gone() -> bool:
        # As each session does that ends, whether it built anything or not.
        with suppress(BlockingIOError):
            ours.send(LEAVE)
        return os.waitpid(pid, os.WNOHANG) == (pid, 0)

    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            os.dup2(theirs.fileno(), 0)
            build_server.serve()
            os._exit(0)
        wait_until(is_gone)


def test_no_server_has_other_modules_than_pants(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "plugin" / "pants_docker_buildkit"
    package.mkdir(parents=True)
    monkeypatch.setattr(server_module, "PACKAGE_ROOT", package.parent)
    # File systems have a clock that ticks.
    time.sleep(0.05)
    (package / "changed.py").touch()
    session.server.serve(session.directory)
    process, buildx, build = session.begin()
    assert build == process.pid
    end(process)
    os.kill(buildx, signal.SIGKILL)


def test_a_server_outlives_a_moment_in_which_it_can_fork_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([OSError(errno.EAGAIN, "Resource temporarily unavailable")])

    def fork() -> int:
        for outcome in outcomes:
            raise outcome
        return 1

    monkeypatch.setattr(os, "fork", fork)
    pants, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, pants, theirs:
        listener.bind(str(tmp_path / "builds"))
        listener.listen()
        server = threading.Thread(target=build_server._serve_session, args=(listener, theirs))
        server.start()
        for _ in range(2):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as build:
                build.settimeout(SOON)
                build.connect(str(tmp_path / "builds"))
                assert build.recv(len(ACCEPTED)) == b""
        pants.send(LEAVE)
        server.join(SOON)
    assert not server.is_alive()


def test_pants_does_not_wait_for_a_server_that_hangs(session: Session) -> None:
    session.serve()
    process, _, build = session.begin()
    server = parent(build)
    os.kill(server, signal.SIGSTOP)
    try:
        # More than fit into the socket.
        for _ in range(2000):
            session.server.leave()
    finally:
        os.kill(server, signal.SIGKILL)
        end(process)


def test_a_build_waits_only_so_long_for_a_server_that_hangs(session: Session) -> None:
    session.serve()
    session.permit()
    awake = session.sandbox / "awake"
    session.buildx(f"until [ -e {awake} ]; do sleep 0.1; done; echo no such luck >&2")
    first = session.start()
    buildx, build = session.running()
    server = parent(build)
    end(first)
    wait_until(lambda: has_ended(buildx) and has_ended(build))
    session.pids.unlink()
    os.kill(server, signal.SIGSTOP)
    try:
        process = session.start()
        _, build = session.running()
        awake.touch()
        _, said = process.communicate(timeout=SOON)
        # It hears of a process that waits no longer.
        os.kill(server, signal.SIGCONT)
        other = permit_path(session.directory, "other", 0)
        other.touch()
        other_process = session.start("other")
        other_process.communicate(timeout=SOON)
        assert other_process.returncode == EXIT_NO_SESSION
    finally:
        os.kill(server, signal.SIGKILL)
    assert build == process.pid
    assert process.returncode == EXIT_FAILED
    assert "no such luck" in said
    assert "Traceback" not in said
    builds = [each for each in session.docker.calls if each.startswith("buildx build")]
    assert len(builds) == len((first, process))
