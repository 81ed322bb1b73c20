"""Leave behind when the steps of a build ran, for the report of the session."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pants_docker_buildkit.buildx.solve_status import SolveStatus, Step
from pants_docker_buildkit.registry.redaction import redact_user_info
from pants_docker_buildkit.session.directory import (
    SIZES_SUFFIX,
    TIMELINES_DIRECTORY,
    write_private,
)
from pants_docker_buildkit.solver.failure import fit_to_print


class Timeline:
    """Begins when a build does. Times are by the builder's clock, but for the build's own."""

    def __init__(self, session: Path, target: str, name: str) -> None:
        self._path = session / TIMELINES_DIRECTORY / f"{name}.json"
        self._target = target
        self._started = time.time()

    def end(self, status: SolveStatus, *, has_failed: bool) -> None:
        """Write what is known of the steps. A timeline that cannot be written is no failure."""
        document = {
            "target": self._target,
            "started": self._started,
            "seconds": time.time() - self._started,
            "has_failed": has_failed,
            "steps": list(_steps(status, status.failed if has_failed else None)),
        }
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(self._path, json.dumps(document).encode())
        except OSError:
            return


def write_sizes(session: Path, name: str, images: Iterable[tuple[str, Sequence[int]]]) -> None:
    """Leave behind the bytes of the layers that a build gave for each platform, if that can be."""
    document = {"platforms": [{"platform": each, "layers": list(sizes)} for each, sizes in images]}
    with suppress(OSError):
        path = session / TIMELINES_DIRECTORY / f"{name}{SIZES_SUFFIX}"
        write_private(path, json.dumps(document).encode())


def _steps(status: SolveStatus, failed: Step | None) -> Iterator[dict[str, Any]]:
    # An import of a cache that is not there has an error, too, and ends no build.
    for step in status.steps.values():
        if step.started is not None:
            yield _step(step, step.started, has_failed=step is failed)


def _step(step: Step, started: float, *, has_failed: bool) -> dict[str, Any]:
    return {
        "name": redact_user_info(fit_to_print(step.title)),
        "started": started,
        "seconds": step.seconds,
        "is_cached": step.is_cached,
        "has_failed": has_failed,
        "sent": step.transferred,
    }
