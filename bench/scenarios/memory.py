"""How much memory does pantsd need at most?"""

from __future__ import annotations

from collections.abc import Iterable

from bench.checkout import in_use
from bench.measure import Samples, say
from bench.report import Goal, Row
from bench.workbench import Workbench

SIZES = (1000,)

_RATIO = 1.4
_GOALS = ("list", "package")
_RUNS_OF_ONE_PANTSD = 3


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """A new pantsd each time, which runs the same goal a few times."""
    _, checkout = bench.images(size)
    peaks: dict[str, list[float]] = {goal: [] for goal in _GOALS}
    with in_use(checkout):
        checkout.pants("package", "::")
        for number in range(bench.runs):
            for goal in _GOALS:
                checkout.stop_pantsd()
                for _ in range(_RUNS_OF_ONE_PANTSD):
                    checkout.pants(goal, "::")
                peaks[goal].append(checkout.peak_memory())
                say(f"  {number + 1}/{bench.runs} {goal}: {peaks[goal][-1] / (1 << 20):.0f} MiB")
    scenario = f"{size:,} images, peak memory of pantsd"
    listed, packaged = (Samples(tuple(peaks[goal])) for goal in _GOALS)
    yield Row(scenario, "list ::", listed, unit="bytes")
    ratio = packaged.median / listed.median
    yield Row(scenario, "package ::", packaged, unit="bytes", goal=Goal(ratio, _RATIO, "x list"))
