"""What of a failed build's output does a person need to see?

buildx ends the plain progress of a failed build with the output of the failing step between two
lines of dashes, the lines of the Dockerfile around it, and the error. The warnings of BuildKit's
linter are left out: they are about style, and one of them is about `ARG`s that hold an address.
"""

from __future__ import annotations

import re

_LAST_LINES = 30
_RULER = "------"
_FAILED_STEP = " > "
_COLOR = re.compile("\x1b\\[[0-9;]*m")
_NOISE = re.compile(r"View build details: |^\s*\d+ warnings? found |^ - \w+: |^\s*$")


def summarize_failure(output: str) -> str:
    """The failing step with the tail of its output, the Dockerfile's lines, and the error."""
    lines = _COLOR.sub("", output).splitlines()
    for index in range(len(lines) - 2, -1, -1):
        if lines[index] == _RULER and lines[index + 1].startswith(_FAILED_STEP):
            lines = lines[index:]
            break
    else:
        lines = lines[-_LAST_LINES:]
    return "\n".join(line for line in lines if not _NOISE.search(line))
