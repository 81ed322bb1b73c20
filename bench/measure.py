"""Time several contenders side by side: A, B, A, B, so that a noisy machine is unfair to none."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.processor import ENGINE, ProcessorTimes

Step = Callable[[], object]

_AFTERWARDS = "engine afterwards"
"""What the engine does for a contender once that has ended, among what takes processor time."""

_LOOK_SECONDS = 0.5
_IDLE_SHARE = 0.05
"""Of one core, in which an engine does no more than look after itself."""

_LONGEST_WAIT = 120.0


@dataclass(frozen=True)
class Contender:
    """What is timed. `prepare` runs before each time, and is not timed itself.

    `most_runs` is for what takes minutes: it is measured no more often than that.
    """

    name: str
    step: Step
    prepare: Step | None = None
    most_runs: int | None = None


@dataclass(frozen=True)
class Samples:
    """What one contender took in each run: seconds, or bytes.

    `processor` is what each class of process took of the processor meanwhile, in seconds, where
    that was measured.
    """

    values: tuple[float, ...]
    processor: tuple[tuple[str, float], ...] = ()

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest value."""
        return max(self.values)

    def times(self, factor: float) -> Samples:
        """What `factor` times as much would take."""
        processor = tuple((kind, seconds * factor) for kind, seconds in self.processor)
        return Samples(tuple(value * factor for value in self.values), processor)


def interleave(contenders: Sequence[Contender], runs: int) -> Mapping[str, Samples]:
    """Time every contender `runs` times, one after the other in each round.

    Before each, the engine takes no processor time: after a command that leaves an image there, it
    goes on for a while. What it puts off until its next build is not waited for.
    """
    _await_idle_engine()
    timed = [
        (contender.name, _time(contender, f"{number}/{runs}"))
        for number in range(1, runs + 1)
        for contender in contenders
        if contender.most_runs is None or number <= contender.most_runs
    ]
    return _samples(contenders, timed)


def in_a_row(contenders: Sequence[Contender], runs: int) -> Mapping[str, Samples]:
    """Time every contender `runs` times, each right after itself.

    This is for those after which the engine puts work off until its next build, whoever asks for
    that: one run of each, before those that count, pays for what the contender before it left.
    """
    _await_idle_engine()
    timed = []
    for contender in contenders:
        _time(contender, "not counted:")
        timed += [
            (contender.name, _time(contender, f"{number}/{runs}")) for number in range(1, runs + 1)
        ]
    return _samples(contenders, timed)


_Timed = tuple[float, Mapping[str, float]]
"""What one run took: seconds, and what each class of process took of the processor."""


def _time(contender: Contender, number: str) -> _Timed:
    if contender.prepare is not None:
        contender.prepare()
    before = ProcessorTimes.now()
    start = time.perf_counter()
    contender.step()
    took = time.perf_counter() - start
    meanwhile = ProcessorTimes.now().since(before)
    say(f"  {number} {contender.name}: {took:.2f} s")
    return took, {**meanwhile, _AFTERWARDS: _await_idle_engine()}


def _samples(
    contenders: Sequence[Contender], timed: Sequence[tuple[str, _Timed]]
) -> Mapping[str, Samples]:
    found = {}
    for contender in contenders:
        runs = [each for name, each in timed if name == contender.name]
        processor = _medians([meanwhile for _, meanwhile in runs])
        found[contender.name] = Samples(tuple(took for took, _ in runs), processor)
    return found


def _await_idle_engine() -> float:
    """Wait until the engine has nothing to do. Gives what it takes of the processor until then."""
    begin = ProcessorTimes.now()
    deadline = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < deadline:
        before = ProcessorTimes.now()
        time.sleep(_LOOK_SECONDS)
        if ProcessorTimes.now().since(before).get(ENGINE, 0.0) < _IDLE_SHARE * _LOOK_SECONDS:
            break
    return ProcessorTimes.now().since(begin).get(ENGINE, 0.0)


def _medians(runs: Sequence[Mapping[str, float]]) -> tuple[tuple[str, float], ...]:
    kinds = dict.fromkeys(kind for each in runs for kind in each)
    return tuple((kind, statistics.median(run.get(kind, 0.0) for run in runs)) for kind in kinds)


class Clock:
    """How long it is since this was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def minutes(self) -> str:
        """The time in words."""
        return f"{(time.monotonic() - self._started) / 60:.0f} min"


def say(line: str) -> None:
    """Tell whoever waits what is going on."""
    print(line, file=sys.stderr, flush=True)
