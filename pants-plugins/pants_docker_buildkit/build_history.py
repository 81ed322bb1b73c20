"""What was built here before, so that the next build can say why it runs.

One file per target and checkout below the user's cache. It decides nothing: a history that is lost
or wrong only makes the reason vaguer. Its first line is short, because every image reads that one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.plans.build_inputs import BuildInputs

HISTORY_DIRECTORY = "history"


@dataclass(frozen=True)
class PastBuild:
    """That a target was packaged here: the digest of the build it has been since.

    `seconds` is how long the last build took that ran on this machine.
    """

    build_digest: str
    seconds: float | None = None


def history_path(root: Path, buildroot: str, address: str) -> Path:
    """Where the history of a target of a checkout lies."""
    key = hashlib.sha256(f"{buildroot}\0{address}".encode()).hexdigest()[:32]
    return root / HISTORY_DIRECTORY / f"{key}.json"


def read_past_build(path: Path) -> PastBuild | None:
    """What was packaged last, `None` if nothing was or the history cannot be read."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
        digest, seconds = header["build_digest"], header["seconds"]
        if (
            not digest
            or not isinstance(digest, str)
            or not isinstance(seconds, (float, int, type(None)))
        ):
            return None
        return PastBuild(digest, seconds)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def read_past_inputs(path: Path) -> BuildInputs | None:
    """What that was built from, `None` if that cannot be read."""
    try:
        with path.open("rb") as file:
            file.readline()
            return BuildInputs.from_document(json.loads(file.readline()))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def write_past_build(path: Path, inputs: BuildInputs, seconds: float | None) -> None:
    """Remember a build. A history that cannot be written is not worth failing for."""
    header = {"build_digest": inputs.build_digest, "seconds": seconds}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(f"{json.dumps(header)}\n{json.dumps(inputs.to_document())}\n")
        os.replace(temporary, path)
    except OSError:
        return
