"""What was built here before, so that the next build can say why it runs.

One file per target and checkout below the user's cache. It decides nothing: a history that is lost
or wrong only makes the reason vaguer. Its first line is short, because every image reads that one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass
class _History:
    """What a file said, as it was at one time. Explanations are by the build that they are of."""

    stamp: tuple[int, int, int] | None
    past: PastBuild | None
    explained: dict[str, Explanation] = field(default_factory=dict)


class Histories:
    """Reads histories, each once for as long as its file stays the same.

    A plan asks for all of them in each session, of images that it would build again and again.
    Lives as long as a Pants process. Any thread may use it: what two find out at once is the same.
    """

    def __init__(self) -> None:
        self._known: dict[Path, _History] = {}

    def past(self, path: Path) -> PastBuild | None:
        """As `read_past_build`."""
        return self._find(path).past

    def explain(
        self, path: Path, build_digest: str, describe: Callable[[], BuildInputs]
    ) -> Explanation:
        """How a build with this digest, whose inputs `describe` gives, differs from the last."""
        history = self._find(path)
        found = history.explained.get(build_digest)
        if found is None:
            inputs = describe()
            found = Explanation(inputs, explain_build(read_past_inputs(path), inputs))
            history.explained = {build_digest: found}
        return found

    def _find(self, path: Path) -> _History:
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is None or known.stamp != stamp:
            known = self._known[path] = _History(stamp, read_past_build(path))
        return known


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file does, which is always replaced. `None` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


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
