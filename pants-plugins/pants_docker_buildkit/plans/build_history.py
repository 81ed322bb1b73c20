"""What was built here before, so that the next build can say why it runs.

One file per target and checkout below the user's cache. It decides nothing: a history that is lost
or wrong only makes the reason vaguer. Its first line is short, because every image reads that one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Optional, TypeVar

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.reasons import Reason, explain_build
from pants_docker_buildkit.session.directory import write_private

T = TypeVar("T")

HISTORY_DIRECTORY = "history"


@dataclass(frozen=True)
class PastBuild:
    """That a target was packaged here: the digest of the build it has been since.

    `seconds` is how long the last build took that ran on this machine.
    """

    build_digest: str
    seconds: Optional[float]


def history_path(root: Path, buildroot: str, address: str) -> Path:
    """Where the history of a target of a checkout lies."""
    key = hashlib.sha256(f"{buildroot}\0{address}".encode()).hexdigest()[:32]
    return Path(root, HISTORY_DIRECTORY, f"{key}.json")


def read_past_build(path: Path) -> PastBuild | None:
    """What was packaged last, `None` if nothing was or the history cannot be read."""
    return _read(PastBuild, path, 0)


def read_past_inputs(path: Path) -> BuildInputs | None:
    """What that was built from, `None` if that cannot be read."""
    return _read(BuildInputs, path, 1)


@dataclass(frozen=True)
class Explanation:
    """Why a build would run, and what it is made from."""

    inputs: BuildInputs
    reasons: tuple[Reason, ...]


class History:
    """What a file said when it was read. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.past = read_past_build(path)
        self._path = path
        self._explained: dict[str, Explanation] = {}

    def explain(self, build_digest: str, describe: Callable[[], BuildInputs]) -> Explanation:
        """How a build with this digest, whose inputs `describe` gives, differs from the past one.

        Found out once: a plan asks for it in each session, of images that it would build.
        """
        found = self._explained.get(build_digest)
        if found is None:
            inputs = describe()
            found = Explanation(inputs, explain_build(read_past_inputs(self._path), inputs))
            self._explained = {build_digest: found}
        return found


def _read(kind: type[T], path: Path, line: int) -> T | None:
    """What is in a line of a history. The second may be long."""
    try:
        with path.open("rb") as file:
            return decode_json(kind, next(islice(file, line, None), b""))
    except (OSError, InvalidJsonError):
        return None


def write_past_build(path: Path, inputs: BuildInputs, seconds: float | None) -> None:
    """Remember a build. A history that cannot be written is not worth failing for."""
    header = {"build_digest": inputs.build_digest, "seconds": seconds}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = f"{json.dumps(header)}\n{json.dumps(inputs.to_document())}\n"
        write_private(path, lines.encode())
    except OSError:
        return
