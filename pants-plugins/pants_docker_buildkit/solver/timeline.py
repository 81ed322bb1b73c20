"""Leave behind when the steps of a build ran, for the report of the session."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pants_docker_buildkit.buildx.solve_status import SolveStatus, Step
from pants_docker_buildkit.registry.redaction import redact_user_info
from pants_docker_buildkit.session.directory import SIZES_SUFFIX, TIMELINES_DIRECTORY, write_private
from pants_docker_buildkit.solver.failure import fit_to_print

_WRITE_SECONDS = 1.0


class Timeline:
    """Begins when a build does. Times are by the builder's clock, but for the build's own."""

    def __init__(
        self, session: Path, target: str, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = session / TIMELINES_DIRECTORY / f"{name}.json"
        self._target = target
        self._clock = clock
        self._started = self._written = clock()

    def go_on(self, status: SolveStatus) -> None:
        """Write what is known by now, now and then: a build that is canceled has no end."""
        if self._clock() - self._written >= _WRITE_SECONDS:
            self._write(status, None, has_failed=False, was_canceled=True)
            self._written = self._clock()

    def end(self, status: SolveStatus, *, has_failed: bool) -> None:
        """Write what is known of the steps. A timeline that cannot be written is no failure."""
        failed = status.failed if has_failed else None
        self._write(status, failed, has_failed=has_failed, was_canceled=False)

    def _write(
        self, status: SolveStatus, failed: Step | None, *, has_failed: bool, was_canceled: bool
    ) -> None:
        now = self._clock()
        document = {
            "target": self._target,
            "started": self._started,
            "seconds": now - self._started,
            "has_failed": has_failed,
            "was_canceled": was_canceled,
            "steps": list(_steps(status, failed, now if was_canceled else None)),
        }
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(self._path, json.dumps(document).encode())


def write_sizes(session: Path, name: str, images: Iterable[tuple[str, Sequence[int]]]) -> None:
    """Leave behind the bytes of the layers that a build gave for each platform, if that can be."""
    document = {"platforms": [{"platform": each, "layers": list(sizes)} for each, sizes in images]}
    with suppress(OSError):
        path = session / TIMELINES_DIRECTORY / f"{name}{SIZES_SUFFIX}"
        write_private(path, json.dumps(document).encode())


def _steps(status: SolveStatus, failed: Step | None, now: float | None) -> Iterator[dict[str, Any]]:
    # An import of a cache that is not there has an error, too, and ends no build.
    for step in status.steps.values():
        if step.started is not None:
            runs = now is not None and step.completed is None
            seconds = max(0.0, (now or 0.0) - step.started) if runs else step.seconds
            yield {
                "name": redact_user_info(fit_to_print(step.title)),
                "started": step.started,
                "seconds": seconds,
                "is_cached": step.is_cached,
                "has_failed": step is failed,
                "sent": step.transferred,
            }
