"""Keep what was measured: the last table, one line for each run, and the chart of the README."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.chart import CHART_FILE, TABLE, TABLE_FILE, draw_chart
from bench.report import Row, render

_HISTORY = re.compile(r"(?<=<!-- history, the last run first -->\n)")


def record(rows: Sequence[Row], conditions: str) -> None:
    """Put a run into `docs/benchmarks.md`, and draw the chart anew. The whole table changes."""
    text = keep(TABLE_FILE.read_text(), rows, conditions)
    TABLE_FILE.write_text(text)
    CHART_FILE.write_text(draw_chart(text))


def keep(text: str, rows: Sequence[Row], conditions: str) -> str:
    """A document with another table, and one more line of history."""
    ratios = (
        f"{row.scenario}, {row.contender}: {row.goal.ratio:.2f} {row.goal.meaning}"
        for row in rows
        if row.goal is not None and row.goal.limit is not None
    )
    line = f"- {conditions}: {'; '.join(ratios)}.\n"
    text = TABLE.sub(lambda _: f"\n{render(rows)}\n", text, count=1)
    return _HISTORY.sub(lambda _: line, text, count=1)
