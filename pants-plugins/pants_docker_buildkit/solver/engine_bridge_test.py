from __future__ import annotations

import errno
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pants_docker_buildkit.session.testing.open_files import no_more_files
from pants_docker_buildkit.solver import engine_bridge, turned_away
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_bridge import (
    BUILDER_NAME,
    Engine,
    bridged_builder,
    buildkit_dialer,
    listening,
)
from pants_docker_buildkit.solver.errors import EngineUnreachableError, UnknownBuilderError
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.testing.fake_engine import GREETING, FakeEngine
from pants_docker_buildkit.testing.processes import SOON

NODE = "0123456789abcdef"
TEMPLATE = Path("/nowhere/template")
TURNED_AWAY = (
    "command [ssh -T -- far docker system dial-stdio] has exited with exit status 255,"
    " stderr=kex_exchange_identification: Connection closed by remote host"
)
_DIAL_STDIO = """\
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
def up():
    while data := os.read(0, 4096): s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := s.recv(4096): os.write(1, data)
"""


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path / "bin").answer("buildx create", run='echo "$BUILDX_CONFIG"')


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    directory = tmp_path / "scratch"
    directory.mkdir(mode=0o700)
    return directory


def receive(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = connection.recv(length - len(data))
        assert chunk, f"ended after {data!r}"
        data += chunk
    return data


def converse(path: Path, message: bytes) -> bytes:
    """What a client of the bridge hears: the greeting, the echo of its message, and the end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SOON)
        client.connect(str(path))
        assert receive(client, len(GREETING)) == GREETING
        client.sendall(message)
        client.shutdown(socket.SHUT_WR)
        answer = receive(client, len(message))
        assert client.recv(1) == b""
        return answer


def test_buildkit_of_the_engine_is_reached_through_a_remote_builder(
    docker: FakeDocker, tmp_path: Path, scratch: Path
) -> None:
    with (
        FakeEngine(tmp_path / "engine").running() as engine,
        bridged_builder(
            docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE
        ) as bridged,
    ):
        message = bytes(range(256)) * 1024
        assert converse(scratch / "engine.sock", message) == message
        assert engine.heads[0].startswith(b"POST /grpc HTTP/1.1\r\n")
        assert b"Upgrade: h2c\r\n" in engine.heads[0]
    assert docker.calls == [
        f"buildx create --name {BUILDER_NAME} --driver remote unix://{scratch}/engine.sock"
    ]
    configuration = Path(bridged.environment["BUILDX_CONFIG"])
    assert configuration.is_relative_to(scratch)
    assert (configuration / ".buildNodeID").read_text() == NODE


def test_several_connections_are_passed_on_at_once(
    docker: FakeDocker, tmp_path: Path, scratch: Path
) -> None:
    with (
        FakeEngine(tmp_path / "engine").running() as engine,
        bridged_builder(docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE),
    ):
        first = socket.socket(socket.AF_UNIX)
        first.connect(str(scratch / "engine.sock"))
        with first:
            assert receive(first, len(GREETING)) == GREETING
            assert converse(scratch / "engine.sock", b"second") == b"second"
            first.sendall(b"first")
            assert receive(first, 5) == b"first"


def test_a_bridge_stays_where_no_more_files_may_be_open_for_a_while(
    tmp_path: Path, scratch: Path
) -> None:
    docker = DockerCli("docker", {})
    with (
        FakeEngine(tmp_path / "engine").running() as engine,
        listening(buildkit_dialer(docker, Engine(engine.host, "default")), scratch) as path,
    ):
        with socket.socket(socket.AF_UNIX) as client, no_more_files():
            client.connect(path)
            # The bridge cannot connect to the engine, or not even accept this one.
            time.sleep(0.3)
        assert converse(Path(path), b"another") == b"another"


def test_a_bridge_ends_where_a_socket_that_listens_cannot_be_shut_down(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_socket: socket.socket, _how: int) -> None:
        raise OSError(errno.ENOTCONN, "Socket is not connected")

    def dial() -> socket.socket:
        raise ConnectionError

    with listening(dial, scratch) as path:
        monkeypatch.setattr(socket.socket, "shutdown", refuse)
    # Here, the thread that waits for connections hears of the end with the next one.
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect(path)


def test_engine_that_drops_a_connection_ends_that_connection_only(
    docker: FakeDocker, tmp_path: Path, scratch: Path
) -> None:
    with (
        FakeEngine(tmp_path / "engine").running() as engine,
        bridged_builder(docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE),
    ):
        engine.reply = b""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SOON)
            client.connect(str(scratch / "engine.sock"))
            client.shutdown(socket.SHUT_RDWR)
        engine.reply = FakeEngine(tmp_path).reply
        assert converse(scratch / "engine.sock", b"still here") == b"still here"


def test_the_socket_lies_where_only_the_user_can_reach_it(
    docker: FakeDocker, tmp_path: Path, scratch: Path
) -> None:
    with (
        FakeEngine(tmp_path / "engine").running() as engine,
        bridged_builder(docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE),
    ):
        assert stat.S_IMODE((scratch / "engine.sock").parent.stat().st_mode) == 0o700


def test_no_engine_is_said_before_buildx_is_called(
    docker: FakeDocker, tmp_path: Path, scratch: Path
) -> None:
    host = f"unix://{tmp_path}/nowhere.sock"
    with (
        pytest.raises(EngineUnreachableError, match=r"nowhere\.sock does not answer: .*No such"),
        bridged_builder(docker.cli(), Engine(host, "default"), scratch, NODE, TEMPLATE),
    ):
        pass
    assert docker.calls == []


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found", id="too-old"),
        pytest.param(b"HTTP/1.1 1010 Odd\r\n\r\n", "1010 Odd", id="almost-101"),
    ],
)
def test_engine_without_a_buildkit_is_named_with_its_answer(
    docker: FakeDocker, tmp_path: Path, scratch: Path, reply: bytes, finding: str
) -> None:
    with FakeEngine(tmp_path / "engine", reply).running() as engine:
        bridged = bridged_builder(
            docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE
        )
        with pytest.raises(EngineUnreachableError, match=finding), bridged:
            pass


def test_builder_that_cannot_be_made_says_why(tmp_path: Path, scratch: Path) -> None:
    docker = FakeDocker(tmp_path / "bin").answer("buildx create", stderr="no room", exit_code=1)
    with FakeEngine(tmp_path / "engine").running() as engine:
        bridged = bridged_builder(
            docker.cli(), Engine(engine.host, "default"), scratch, NODE, TEMPLATE
        )
        with pytest.raises(UnknownBuilderError, match="cannot be used: no room"), bridged:
            pass


@pytest.fixture
def dial_stdio(tmp_path: Path) -> str:
    """A shell command that passes its standard input and output on to the engine."""
    script = tmp_path / "dial_stdio.py"
    script.write_text(_DIAL_STDIO)
    return f"exec {sys.executable} {script} {tmp_path}/engine"


def test_engine_that_is_not_at_a_unix_socket_is_dialled_by_the_docker_cli(
    docker: FakeDocker, tmp_path: Path, dial_stdio: str
) -> None:
    docker.answer("system dial-stdio", run=dial_stdio)
    with FakeEngine(tmp_path / "engine").running() as engine:
        with buildkit_dialer(docker.cli(), Engine("ssh://far", "default"))() as connection:
            connection.settimeout(SOON)
            assert receive(connection, len(GREETING)) == GREETING
        assert engine.heads[0].startswith(b"POST /grpc HTTP/1.1\r\n")
    assert docker.calls == ["system dial-stdio"]


def test_engine_whose_ssh_server_turns_some_away_is_dialled_again(
    docker: FakeDocker, tmp_path: Path, dial_stdio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turned_away, "_PAUSE_SECONDS", (0, 0.01))
    mark = tmp_path / "asked"
    turn_away = f"[ -e {mark} ] || {{ touch {mark}; echo '{TURNED_AWAY}' >&2; exit 1; }};"
    docker.answer("system dial-stdio", run=f"{turn_away} {dial_stdio}")
    with (
        FakeEngine(tmp_path / "engine").running(),
        buildkit_dialer(docker.cli(), Engine("ssh://far", "default"))() as connection,
    ):
        connection.settimeout(SOON)
        assert receive(connection, len(GREETING)) == GREETING
    assert docker.calls == ["system dial-stdio"] * 2


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ("me@far: Permission denied (publickey).", r"not answer: me@far: Permission denied"),
        # Which of the two it is depends on when it ends.
        ("", r"not answer: (it closed the connection|\[Errno \d+\] [A-Za-z ]+)\."),
    ],
    ids=["said", "silent"],
)
def test_engine_that_cannot_be_dialled_is_not_dialled_again_and_says_why(
    docker: FakeDocker, scratch: Path, said: str, finding: str
) -> None:
    docker.answer("system dial-stdio", stderr=said, exit_code=1)
    with (
        pytest.raises(EngineUnreachableError, match=finding),
        bridged_builder(docker.cli(), Engine("ssh://far", "default"), scratch, NODE, TEMPLATE),
    ):
        pass
    assert docker.calls == ["system dial-stdio"]


def test_engine_whose_ssh_server_turns_everybody_away_says_so(
    docker: FakeDocker, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turned_away, "_PAUSE_SECONDS", (0, 0.01))
    monkeypatch.setattr(engine_bridge, "TURNED_AWAY_SECONDS", 0.1)
    docker.answer("system dial-stdio", stderr=TURNED_AWAY, exit_code=1)
    with (
        pytest.raises(EngineUnreachableError, match=r"not answer: .*kex_exchange_identification"),
        bridged_builder(docker.cli(), Engine("ssh://far", "default"), scratch, NODE, TEMPLATE),
    ):
        pass


def test_a_standalone_buildx_dials_the_buildkit_of_the_engine_itself(
    tmp_path: Path, dial_stdio: str
) -> None:
    docker = FakeDocker(tmp_path / "bin", "docker-buildx").answer("dial-stdio", run=dial_stdio)
    with FakeEngine(tmp_path / "engine").running():
        dial = buildkit_dialer(
            DockerCli.find({"PATH": str(docker.directory)}), Engine("tcp://a", "far")
        )
        with dial() as connection:
            connection.settimeout(SOON)
            connection.sendall(b"\r\n\r\n")
            assert receive(connection, 4) == b"HTTP"
    assert docker.calls == ["dial-stdio --builder far"]
