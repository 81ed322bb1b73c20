"""What was measured, as rows of one table, and which goals it meets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.measure import Samples

_MEBIBYTE = 1 << 20
_LEAST = 0.05


@dataclass(frozen=True)
class Goal:
    """The most that a ratio may be. `meaning` says what is divided by what."""

    ratio: float
    limit: float | None
    meaning: str

    @property
    def verdict(self) -> str:
        """Met or missed; empty where there is no limit."""
        if self.limit is None:
            return ""
        return "met" if self.ratio <= self.limit else "missed"


@dataclass(frozen=True)
class Row:
    """One contender of one scenario."""

    scenario: str
    contender: str
    samples: Samples
    unit: str = "s"
    goal: Goal | None = None

    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        samples, goal = self.samples, self.goal
        ratio = limit = verdict = ""
        if goal is not None:
            ratio, verdict = f"{_ratio(goal.ratio)} {goal.meaning}", goal.verdict
            limit = "" if goal.limit is None else f"<= {_ratio(goal.limit)}"
        return (
            self.scenario,
            self.contender,
            self._amount(samples.median),
            f"{self._amount(samples.low)} to {self._amount(samples.high)}",
            ratio,
            limit,
            verdict,
            self._processor(),
        )

    def _processor(self) -> str:
        """What the classes of processes took that took anything to speak of."""
        shown = ((kind, seconds) for kind, seconds in self.samples.processor if seconds >= _LEAST)
        return ", ".join(f"{kind} {seconds:.2f}" for kind, seconds in shown)

    def _amount(self, value: float) -> str:
        return f"{value / _MEBIBYTE:.0f} MiB" if self.unit == "bytes" else f"{value:.2f} s"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


_HEADER = ("scenario", "contender", "median", "spread", "ratio", "goal", "", "processor, seconds")


def render(rows: Iterable[Row]) -> str:
    """The table, in Markdown that is also readable as it is."""
    lines = [_HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines
    ]
    return "\n".join((texts[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *texts[1:]))


def to_document(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as JSON."""
    return [asdict(row) for row in rows]


def from_document(document: Iterable[Mapping[str, Any]]) -> tuple[Row, ...]:
    """What `to_document` gave."""
    return tuple(
        Row(
            scenario=each["scenario"],
            contender=each["contender"],
            samples=Samples(
                tuple(each["samples"]["values"]),
                tuple((kind, seconds) for kind, seconds in each["samples"]["processor"]),
            ),
            unit=each["unit"],
            goal=Goal(**each["goal"]) if each["goal"] else None,
        )
        for each in document
    )
