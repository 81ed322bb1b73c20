"""The builds of a run, as their processes left them behind: `solver/timeline.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.json_values import decode_json


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
    started: float
    seconds: float
    has_failed: bool
    steps: tuple[TimedStep, ...]
    reason: str = ""

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
            build = decode_json(TimedBuild, path.read_bytes())
        except (OSError, InvalidJsonError):
            # A process that was killed left it, or somebody else.
            continue
        steps = tuple(sorted(build.steps, key=lambda each: (each.started, each.name)))
        builds.append(replace(build, reason=reasons.get(build.target, ""), steps=steps))
    return tuple(sorted(builds, key=lambda each: (each.started, each.target)))
