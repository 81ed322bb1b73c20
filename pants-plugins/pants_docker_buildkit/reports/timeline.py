"""The builds of a run, as their processes left them behind: `solver/timeline.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TimedStep:
    """One step. `started` is in seconds since the epoch, `sent` in bytes."""

    name: str
    started: float
    seconds: float
    is_cached: bool
    has_failed: bool
    sent: int

    @property
    def ended(self) -> float:
        """When it was over."""
        return self.started + self.seconds


@dataclass(frozen=True)
class TimedBuild:
    """One build that ran. `reason` is why; empty where it is not known."""

    target: str
    reason: str
    started: float
    seconds: float
    has_failed: bool
    steps: tuple[TimedStep, ...]

    @property
    def ended(self) -> float:
        """When it was over."""
        return self.started + self.seconds

    @property
    def sent(self) -> int:
        """How many bytes were sent to the builder."""
        return sum(each.sent for each in self.steps)

    def lanes(self) -> tuple[tuple[TimedStep, ...], ...]:
        """The steps in as few rows as it takes for none to overlap another."""
        rows: list[list[TimedStep]] = []
        for step in self.steps:
            row = next((each for each in rows if each[-1].ended <= step.started), None)
            if row is None:
                rows.append([step])
            else:
                row.append(step)
        return tuple(map(tuple, rows))


def read_builds(directory: Path, reasons: Mapping[str, str]) -> tuple[TimedBuild, ...]:
    """The builds whose timelines lie in a directory, in the order in which they began."""
    builds = []
    for path in directory.glob("*.json"):
        try:
            builds.append(_build(json.loads(path.read_bytes()), reasons))
        except (OSError, ValueError, LookupError, TypeError):
            # A process that was killed left it, or somebody else.
            continue
    return tuple(sorted(builds, key=lambda each: (each.started, each.target)))


def _build(document: Mapping[str, Any], reasons: Mapping[str, str]) -> TimedBuild:
    target = str(document["target"])
    steps = (
        TimedStep(
            name=str(each["name"]),
            started=float(each["started"]),
            seconds=float(each["seconds"]),
            is_cached=bool(each["is_cached"]),
            has_failed=bool(each["has_failed"]),
            sent=int(each["sent"]),
        )
        for each in document["steps"]
    )
    return TimedBuild(
        target=target,
        reason=reasons.get(target, ""),
        started=float(document["started"]),
        seconds=float(document["seconds"]),
        has_failed=bool(document["has_failed"]),
        steps=tuple(sorted(steps, key=lambda each: (each.started, each.name))),
    )
