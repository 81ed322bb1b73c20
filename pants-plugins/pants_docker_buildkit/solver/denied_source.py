"""Why did BuildKit refuse to read something, and what is to be done?"""

from __future__ import annotations

import re

from pants_docker_buildkit.solver.source_policy import MAIN_CONTEXT

_DENIED = re.compile(r'source "((?:[^"\\]|\\.)+)" denied by policy')
_LINE = re.compile(r"^Dockerfile:(\d+)$", re.MULTILINE)


def explain_denial(output: str, target: str) -> str:
    """What was denied, who asked for it, and the next step; empty where nothing was denied.

    `output` ends as buildx does, with an excerpt of the Dockerfile if BuildKit knows the line.
    """
    denied = _DENIED.search(output)
    if denied is None:
        return ""
    source = denied.group(1)
    if source == MAIN_CONTEXT:
        return (
            f"The Dockerfile of {target} was not understood as BuildKit does: it asked for files"
            " of the context that the Dockerfile does not seem to name, so that they are not in the"
            f' key. Set `context_inputs="declared"` in {target}: then all files that its'
            " dependencies provide are. Please report the Dockerfile, too."
        )
    line = _LINE.search(output)
    who = (
        "A frontend (`# syntax`) or a trigger (`ONBUILD`) of a base image asked for it, or a line"
        " with a variable that only a base image sets."
        if line is None
        else f"Line {line.group(1)} of the Dockerfile asked for it, or a trigger (`ONBUILD`) of the"
        " image that this line names."
    )
    return (
        f"BuildKit was kept from reading {source}, because it is not in the key of {target}. {who}"
        " If the build may read it, name it in the `external_sources` field of the target: what it"
        " is now is then part of the key, and exactly that is read."
    )
