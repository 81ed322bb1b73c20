"""A Pants that has done its imports, for runs to which nothing is sent while they last.

A start of Pants without its daemon takes 3 s of processor time, and one with it 4: most of it are
imports. They are spent once for all such runs of a process of tests: a process that has imported
everything forks for each of them, and for their daemons. What they share is what was imported, and
the order of sets of strings.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.integration.workbench import start_pants
from tests.integration.workbench.required import pants_command, plugin_sources


class Ended(NamedTuple):
    exit_code: int
    output: str


def run_ready_pants(
    python: int,
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    seconds: float,
) -> Ended:
    """Run Pants to its end, in a session of its own. Fails if it takes longer than `seconds`.

    Runs that differ in `python` have sets in another order.
    """
    process = _ready(python)
    assert process.stdin
    assert process.stdout
    with tempfile.NamedTemporaryFile(prefix="pants-output-") as output:
        request = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(environment),
            "output": output.name,
        }
        process.stdin.write(f"{json.dumps(request)}\n".encode())
        process.stdin.flush()
        pid = int(process.stdout.readline())
        in_time, _, _ = select.select([process.stdout], [], [], seconds)
        if not in_time:
            os.killpg(pid, signal.SIGKILL)
        exit_code = int(process.stdout.readline())
        text = Path(output.name).read_text("utf-8", "replace")
    assert in_time, f"Pants did not end: {text}"
    return Ended(exit_code, text)


@cache
def _ready(_: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*pants_command(), start_pants.SERVE],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(plugin_sources())},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    atexit.register(process.kill)
    return process
