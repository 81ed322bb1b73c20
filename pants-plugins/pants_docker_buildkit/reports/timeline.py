"""The builds of a run, as their processes left them behind: `solver/timeline.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.session.directory import SIZES_SUFFIX


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
class PlatformSizes:
    """What came of a build for one platform: the bytes of each layer, compressed, in order."""

    platform: str
    layers: tuple[int, ...]

    @property
    def total(self) -> int:
        """The bytes of all layers."""
        return sum(self.layers)


@dataclass(frozen=True)
class BuildSizes:
    """What came of a build, as its process left it behind."""

    platforms: tuple[PlatformSizes, ...] = ()


@dataclass(frozen=True)
class TimedBuild:
    """One build that ran. `reason` is why; empty where it is not known.

    One that was canceled, or killed, is known up to about a second before that.

    `waited` are the seconds from when it was known that the image had to be built until its build
    began: files were brought, and others had Pants' slots and those of the builder. `sizes` are
    empty where none are known, as of a build that failed, or an image in the local engine.
    """

    target: str
    started: float
    seconds: float
    has_failed: bool
    steps: tuple[TimedStep, ...]
    reason: str = ""
    waited: float = 0.0
    sizes: tuple[PlatformSizes, ...] = ()
    was_canceled: bool = False

    @property
    def size(self) -> int:
        """The bytes of its layers, of all platforms."""
        return sum(each.total for each in self.sizes)

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


def read_builds(
    directory: Path, reasons: Mapping[str, str], asked: Mapping[str, float]
) -> tuple[TimedBuild, ...]:
    """The builds whose timelines lie in a directory, in the order in which they began.

    `asked` is when, in seconds since the epoch, it was known of a target that it had to be built.
    """
    builds = []
    for path in directory.glob("*.json"):
        try:
            build = decode_json(TimedBuild, path.read_bytes())
        except (OSError, InvalidJsonError):
            # A process that was killed left it, or somebody else.
            continue
        steps = tuple(sorted(build.steps, key=lambda each: (each.started, each.name)))
        known = replace(
            build,
            reason=reasons.get(build.target, ""),
            waited=max(0.0, build.started - asked.get(build.target, build.started)),
            sizes=_read_sizes(path.with_suffix(SIZES_SUFFIX)),
            steps=steps,
        )
        builds.append(known)
    return tuple(sorted(builds, key=lambda each: (each.started, each.target)))


def _read_sizes(path: Path) -> tuple[PlatformSizes, ...]:
    try:
        return decode_json(BuildSizes, path.read_bytes()).platforms
    except (OSError, InvalidJsonError):
        return ()
