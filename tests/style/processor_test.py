"""The benchmarks say which class of process worked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.measure import Contender, interleave
from bench.processor import COMMANDS, ENGINE, PANTS, PROCESSES, ProcessorTimes
from bench.report import Row, from_document, to_document

WORKS = "import time\nwhile time.process_time() < 0.4: pass"


def write_process(
    proc: Path, number: int, name: str, own: int, of_children: int, parent: int = 0
) -> None:
    """One that began at tick 7, with as much time in the kernel as outside."""
    folder = proc / str(number)
    folder.mkdir(exist_ok=True)
    times = f"{own} {own} {of_children} {of_children}"
    (folder / "stat").write_text(f"{number} ({name}) S {parent}{' 0' * 9} {times} 20 0 1 0 7 0\n")


def test_processes_count_for_their_class(tmp_path: Path) -> None:
    write_process(tmp_path, 1, "pantsd [/some (w", 100, 10)
    write_process(tmp_path, 2, "bash", 100, 0)
    before = ProcessorTimes.now(tmp_path)
    write_process(tmp_path, 1, "pantsd [/some (w", 200, 60)
    write_process(tmp_path, 2, "bash", 900, 0)
    write_process(tmp_path, 3, "dockerd", 5, 20)
    spent = dict(ProcessorTimes.now(tmp_path).since(before))
    assert spent.pop(COMMANDS) == 0
    # There are a hundred ticks in a second.
    assert spent == {PANTS: 2.0, PROCESSES: 1.0, ENGINE: 0.5}


def test_a_process_of_the_daemon_counts_once_while_it_runs_and_after_it(tmp_path: Path) -> None:
    write_process(tmp_path, 1, "pantsd [/some (w", 100, 10)
    write_process(tmp_path, 2, "python", 3, 0, parent=1)
    write_process(tmp_path, 3, "python", 900, 0, parent=2)
    before = ProcessorTimes.now(tmp_path)
    write_process(tmp_path, 2, "python", 8, 20, parent=1)
    after = ProcessorTimes.now(tmp_path)
    assert after.since(before)[PROCESSES] == 0.5
    shutil.rmtree(tmp_path / "2")
    write_process(tmp_path, 1, "pantsd [/some (w", 100, 10 + 8 + 20 + 5)
    assert ProcessorTimes.now(tmp_path).since(after)[PROCESSES] == 0.1


def test_commands_that_are_measured_count_for_their_contender() -> None:
    samples = interleave(
        [
            Contender("works", lambda: subprocess.run([sys.executable, "-c", WORKS], check=True)),
            Contender("waits", lambda: None),
        ],
        1,
    )
    assert dict(samples["works"].processor)[COMMANDS] >= 0.3
    assert dict(samples["waits"].processor)[COMMANDS] == 0
    row = Row("scenario", "contender", samples["works"])
    assert row.cells()[-1].startswith(f"{COMMANDS} 0.")
    assert from_document(json.loads(json.dumps(to_document([row])))) == (row,)
