"""The chart that the README shows is of the table that the documentation has."""

from __future__ import annotations

from bench.chart import CHART_FILE, TABLE_FILE, draw_chart, read_table
from bench.measure import Samples
from bench.record import keep
from bench.report import Goal, Row

ROWS = (
    Row("100 images, unchanged", "list ::", Samples((1.0, 2.0, 3.0))),
    Row(
        "100 images, unchanged",
        "package :: <x>",
        Samples((3.0,)),
        goal=Goal(1.5, 1.25, "x list"),
    ),
    Row("1,000 images, all changed", "package ::", Samples((9.0,))),
    Row("100 images, all changed", "package ::", Samples((5.0,))),
    Row("100 images, all changed", "buildx bake", Samples((4.0,))),
    Row("peak memory", "package ::", Samples((1 << 20,)), unit="bytes"),
)


def test_the_chart_is_the_one_of_the_table() -> None:
    assert CHART_FILE.read_text() == draw_chart(TABLE_FILE.read_text())


def test_a_run_that_is_recorded_replaces_the_table_and_adds_to_the_history() -> None:
    document = TABLE_FILE.read_text()
    kept = keep(document, ROWS, "1999-01-01, 3 runs")
    found = [(scenario, bar.contender, bar.seconds) for scenario, bar in read_table(kept)]
    assert found == [
        ("100 images, unchanged", "list ::", 2.0),
        ("100 images, unchanged", "package :: <x>", 3.0),
        ("1,000 images, all changed", "package ::", 9.0),
        ("100 images, all changed", "package ::", 5.0),
        ("100 images, all changed", "buildx bake", 4.0),
    ]
    line = "- 1999-01-01, 3 runs: 100 images, unchanged, package :: <x>: 1.50 x list.\n"
    assert kept.count(line) == 1
    again = keep(kept, ROWS, "1999-01-02, 3 runs")
    assert again.index("1999-01-02") < again.index("1999-01-01")
    chart = draw_chart(again)
    assert chart.count('<rect class="ours"') == chart.count('<rect class="other"') == 2
    assert "package :: &lt;x&gt;" in chart
    # A bake of 1,000 images is canceled, so there is no group of those.
    assert "100 images, all changed" in chart
    assert "9 s" not in chart
