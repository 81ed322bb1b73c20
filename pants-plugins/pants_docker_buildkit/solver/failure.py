"""What of a failed build's output does a person need to see?

buildx ends the plain progress of a failed build with the output of the failing step between two
lines of dashes, the lines of the Dockerfile around it, and the error. The warnings of BuildKit's
linter are left out: they are about style, and one of them is about `ARG`s that hold an address.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from pants_docker_buildkit.registry.program_output import shorten_crash
from pants_docker_buildkit.registry.redaction import redact_urls

_LAST_LINES = 30
_RULER = "------"
_FAILED_STEP = " > "
_ERROR = "ERROR: "
# Colors, movements of the cursor, titles of windows (ECMA-48, 5.4 and 5.6), and shorter ones.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[ -/]*[0-~]"
)
# What moves the cursor, or more, when a terminal shows it; ends a line for some; or turns it round.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_NOISE = re.compile(r"View build details: |^\s*\d+ warnings? found |^ - \w+: |^\s*$")


_SHELL_SIGNAL_BASE = 128


def describe_killing(program: str, exit_code: int) -> str:
    """Which signal ended a program, and what to do; empty if none did.

    The exit code is negative for a child, and counted from 128 for what a shell started.
    """
    number = -exit_code if exit_code < 0 else exit_code - _SHELL_SIGNAL_BASE
    try:
        name = signal.Signals(number).name
    except ValueError:
        return ""
    return (
        f"{program} was killed ({name}), by somebody or because memory ran out. Run this again"
        " with more memory, or build less at the same time."
    )


def without_controls(text: str) -> str:
    """A line of a step as a terminal may show it: no colors, no cursor movement, nothing else."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text.replace("\t", "    ").replace("\r", " ")))


def fit_to_print(text: str) -> str:
    """Lines from anywhere as a terminal may show them, and without what may be secret in URLs."""
    return "\n".join(without_controls(line) for line in _lines(redact_urls(text)))


def _lines(text: str) -> list[str]:
    """Lines as they were written: `splitlines` ends some at characters that steps may print."""
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def final_error(lines: Sequence[str]) -> str:
    """The error that buildx ends with; empty where it ends otherwise."""
    errors = (line for line in reversed(lines) if line.startswith(_ERROR))
    return next(errors, "")[len(_ERROR) :]


def summarize_failure(output: str, exit_code: int = 1) -> str:
    """The failing step with the tail of its output, the Dockerfile's lines, and the error.

    An output that ends in the middle is followed by the signal that ended buildx.
    """
    lines = [without_controls(line) for line in _lines(shorten_crash(output, "buildx"))]
    for index in range(len(lines) - 2, -1, -1):
        if lines[index] == _RULER and lines[index + 1].startswith(_FAILED_STEP):
            lines = lines[index:]
            break
    else:
        lines = lines[-_LAST_LINES:]
    shown = [line for line in lines if not _NOISE.search(line)]
    killing = describe_killing("buildx", exit_code)
    return "\n".join([*shown, killing] if killing else shown)
