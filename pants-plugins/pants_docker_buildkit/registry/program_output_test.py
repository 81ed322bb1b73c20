from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.program_output import (
    MAX_OUTPUT,
    Limits,
    ProgramError,
    ProgramOutput,
    run_program,
)
from pants_docker_buildkit.testing.processes import SOON, has_ended, wait_until

PATH = {"PATH": os.defpath}


def run(script: str, seconds: float = SOON, given: bytes = b"") -> ProgramOutput:
    return run_program(["/bin/sh", "-c", script], PATH, Limits(seconds), given)


def test_a_program_is_run_to_its_end() -> None:
    done = run("cat; echo complaint >&2; exit 3", given=b"given")
    assert done == ProgramOutput(3, b"given", b"complaint\n")
    assert run("exec >&- 2>&-; sleep 0.1; exit 4").exit_code == 4


def test_of_a_program_that_crashed_the_reason_is_kept_and_not_the_stacks() -> None:
    report = "runtime: no thread\n" * 2 + "fatal error: newosproc\n\nruntime stack:\n"
    done = run(f"printf '{report}%s' frames >&2; exit 2")
    reason = "runtime: no thread; fatal error: newosproc"
    assert done.complaint.startswith(f"sh crashed ({reason}). Run this again".encode())
    assert b"frames" not in done.complaint


def test_what_a_program_leaves_in_the_background_is_not_waited_for() -> None:
    done = run("sleep 600 & echo $!; exit 3")
    assert (done.exit_code, done.complaint) == (3, b"")
    # It fails where that has ended.
    os.kill(int(done.printed), signal.SIGKILL)


def test_a_program_need_not_read_its_input() -> None:
    assert run("exec <&-; echo done", given=b"x" * 60_000).printed == b"done\n"


def test_what_a_program_prints_is_cut_off_while_it_prints() -> None:
    finding = f"^printed more than {MAX_OUTPUT} bytes$"
    with pytest.raises(ProgramError, match=finding):
        run("yes")
    with pytest.raises(ProgramError, match=finding):
        run(f"head -c {MAX_OUTPUT + 1} /dev/zero; sleep 600")
    assert len(run(f"head -c {MAX_OUTPUT} /dev/zero").printed) == MAX_OUTPUT


def test_complaints_are_read_to_their_end_which_is_kept() -> None:
    done = run("head -c 10000000 /dev/zero >&2; echo end >&2; echo printed")
    assert (done.exit_code, done.printed, len(done.complaint)) == (0, b"printed\n", 1 << 16)
    assert done.complaint.endswith(b"\0end\n")


@pytest.mark.parametrize("script", ["sleep 600", "exec >&- 2>&-; sleep 600", "yes"])
def test_a_program_is_not_waited_for_without_end(script: str) -> None:
    started = time.monotonic()
    with pytest.raises(ProgramError, match=r"^(gave no answer in 0 s|printed more than .*)$"):
        run(script, seconds=0.3)
    assert time.monotonic() - started < SOON


def test_a_program_that_somebody_kills_says_so() -> None:
    for name in ("KILL", "TERM"):
        with pytest.raises(ProgramError, match=rf"^was killed \(SIG{name}\), by somebody or "):
            run(f"echo part; kill -{name} $$")
    # One without a name.
    with pytest.raises(ProgramError, match=r"^was killed \(signal 40\)"):
        run("kill -40 $$")


@pytest.mark.parametrize("script", ["exec sleep 600", "exec yes >&2"])
def test_a_program_does_not_outlive_those_who_wait_for_it(tmp_path: Path, script: str) -> None:
    is_over = threading.Event()
    pid = tmp_path / "pid"

    def watch() -> None:
        wait_until(pid.exists)
        is_over.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    words = ["/bin/sh", "-c", f"echo $$ >{pid}.new; mv {pid}.new {pid}; {script}"]
    with pytest.raises(ProgramError, match=r"^was stopped, because the command that needs it has"):
        run_program(words, PATH, Limits(600.0, is_over=is_over))
    assert has_ended(int(pid.read_text()))
    watcher.join()


def test_a_program_that_is_not_there_or_does_not_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        ProgramError, match=r"^is not on '\[docker-buildkit\]\.executable_search_paths'$"
    ):
        run_program(["nonexistent"], PATH, Limits(1.0))
    with pytest.raises(ProgramError, match=r"^is no executable file$"):
        run_program(["/nonexistent"], PATH, Limits(1.0))
    (tmp_path / "broken").write_text("#!/nonexistent\n")
    (tmp_path / "broken").chmod(0o755)
    with pytest.raises(ProgramError, match=r"^does not run: No such file or directory$"):
        run_program(["broken"], {"PATH": str(tmp_path)}, Limits(1.0))
