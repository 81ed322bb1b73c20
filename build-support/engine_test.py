"""What is left where `engine.sh` is killed, with programs that stand in for an engine's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pants_docker_buildkit.testing.processes import has_ended, wait_until

SCRIPT = Path(__file__).absolute().with_name("engine.sh")
ON_THE_MACHINE = {
    "id": "echo 0",
    "uname": "[ $1 = -s ] && echo Linux || echo some",
    # The script makes a directory for containerd, which is not in its folder.
    "mkdir": 'exec /bin/mkdir $(for each; do [ "$each" = /run/containerd ] || echo "$each"; done)',
    "rm": '[ ! -e "$DIES" ] || [ ! -d "$2" ] || { /bin/rm -r "$2"/root; kill -9 $PPID; exit; }\n'
    'exec /bin/rm "$@"',
}
IN_ITS_FOLDER = {
    "usr/sbin/xtables-nft-multi": "",
    "bin/busybox": "",
    "private/mount": "",
    "private/unshare": 'shift 3; exec "$@"',
    "private/dockerd": 'exec "${0%/private/dockerd}/usr/sbin/dockerd" ./dockerd',
    "usr/bin/docker": "[ -e gate ]",
}
ENGINE = """\
echo $$ >>started
trap 'exit 0' TERM
while sleep 0.05; do :; done
"""
REGISTRY = f"""\
{sys.executable} -c 'import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), None).serve_forever()' "$(cat port)" &
trap "kill $!; exit 0" TERM
wait
"""


class Engine:
    """A folder with an unpacked engine that answers once its gate is open."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.folder = directory / "cache" / "engine"
        self.environment = {
            "PATH": f"{directory}/machine:/usr/sbin:/usr/bin:/sbin:/bin",
            "SETUP_CACHE": str(directory / "cache"),
            "DIES": str(directory / "dies"),
        }
        root = self.folder / "root"
        for name, text in ON_THE_MACHINE.items():
            write_program(directory / "machine" / name, text)
        for name, text in IN_ITS_FOLDER.items():
            write_program(root / name, text)
        # The script knows them by these very files. They run what lies where it is started.
        shutil.copy("/bin/sh", root / "usr/sbin/dockerd")
        (directory / "dockerd").write_text(ENGINE)
        shutil.copy("/bin/sh", root / "usr/bin/docker-registry")
        (directory / "serve").write_text(REGISTRY)
        (directory / "port").write_text(str(port))
        (self.folder / "settings").write_text(
            f"registry_port={port}\nbridge=none-of-these\nsubnet=10.213.0\n"
        )

    def command(self, command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", str(SCRIPT), command],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill_start(self) -> None:
        """Start it, and kill who does before it answers."""
        process = self.command("start")
        wait_until(lambda: bool(self.started) or process.poll() is not None)
        process.kill()
        process.wait()

    @property
    def started(self) -> list[int]:
        """The processes of all engines that were ever started."""
        file = self.directory / "started"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def open_gate(self) -> None:
        (self.directory / "gate").touch()


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # The path of an engine's folder has to be short.
    with TemporaryDirectory(dir="/tmp") as directory:
        engine = Engine(Path(directory), port)
        yield engine
        engine.command("stop").wait()
        for each in engine.started:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def test_who_comes_after_a_start_that_was_killed_waits_for_its_engine(engine: Engine) -> None:
    engine.kill_start()
    following = engine.command("start")
    engine.open_gate()
    assert following.wait() == 0
    assert len(engine.started) == 1


def test_an_engine_whose_start_was_killed_is_stopped(engine: Engine) -> None:
    engine.kill_start()
    assert engine.command("stop").wait() == 0
    assert [has_ended(each) for each in engine.started] == [True]


def test_nobody_finds_a_part_of_what_is_removed(engine: Engine) -> None:
    (engine.directory / "dies").touch()
    assert engine.command("remove").wait() == -signal.SIGKILL
    assert not engine.folder.exists()
    (engine.directory / "dies").unlink()
    assert engine.command("remove").wait() == 0
    assert [each.name for each in engine.folder.parent.iterdir()] == ["engine.lock"]
