"""What a set-up does that is interrupted, or that has to wait for another."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from pants_docker_buildkit.testing.processes import has_ended, wait_until

SUPPORT = Path(__file__).absolute().parent
LAUNCHER = SUPPORT.parent / "pants"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_set_up_ends_with_the_run_that_started_it(tmp_path: Path, sent: signal.Signals) -> None:
    """Where the signal is for that run alone, and not for the whole terminal."""
    launcher = shutil.copy(LAUNCHER, tmp_path)
    program = tmp_path / "build-support" / "setup.sh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nsleep 600 &\necho $$ $! >ids.new && mv ids.new ids; wait\n")
    program.chmod(0o755)
    started = tmp_path / "ids"
    run = subprocess.Popen(["bash", launcher], cwd=tmp_path, start_new_session=True)
    wait_until(started.exists)
    run.send_signal(sent)
    assert run.wait() == 128 + signal.SIGTERM
    ids = [int(each) for each in started.read_text().split()]
    wait_until(lambda: all(map(has_ended, ids)))


@pytest.mark.parametrize(
    ("script", "command", "lock", "said"),
    [
        ("setup.sh", "pants", "setup.lock", "another run that sets up"),
        ("engine.sh", "stop", "engine.lock", "another run that starts or stops"),
    ],
)
def test_who_waits_for_another_run_says_so(
    tmp_path: Path, script: str, command: str, lock: str, said: str
) -> None:
    with open(tmp_path / lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = subprocess.Popen(
            ["bash", str(SUPPORT / script), command],
            env={"PATH": os.defpath, "SETUP_CACHE": str(tmp_path)},
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        assert run.stderr is not None
        assert f"[setup] waiting for {said}" in run.stderr.readline()
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
