"""Draw the chart that the README shows, from the table in `docs/benchmarks.md`.

python3 -m bench.chart
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from bench.tools import CHECKOUT

TABLE_FILE = CHECKOUT / "docs" / "benchmarks.md"
CHART_FILE = CHECKOUT / "docs" / "benchmarks.svg"
TABLE = re.compile(r"(?<=<!-- table -->\n)\n?.*?(?=\n<!-- end of table -->)", re.DOTALL)
"""Of that file, the table of the last run that was recorded. Others say what was tried by hand."""

_GROUPS = (
    ("100 images, all unchanged", r"100 images, unchanged\b"),
    ("1,000 images, one of them changed", r"1 of 1,000 images changed\b"),
    ("100 images, all changed", r"100 images, all changed\b"),
    ("One image, built from scratch", r"fresh build, work x 10\b"),
    ("1,000 images, a new tag for each", r"1,000 images, (one|a) new tag\b"),
    ("1,000 images, the registry 50 ms away", r"1,000 images, registry 50 ms away\b"),
    ("1,000 images on a new machine, warm remote cache", r"1,000 images, warm remote cache\b"),
)
_SECONDS = re.compile(r"([\d.]+) s")
_OURS = re.compile(r"(package|publish) ::(?! of docker_image)")

_WIDTH, _LABEL, _BAR, _LINE, _TITLE = 840, 330, 400, 22, 34
_STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold}"
    ".ours{fill:#0969da}.other{fill:#8c959f}.label{text-anchor:end}"
)


@dataclass(frozen=True)
class Bar:
    """What one contender took, in seconds."""

    contender: str
    seconds: float


def read_table(text: str) -> Iterator[tuple[str, Bar]]:
    """Scenario and bar of each row of a document's `TABLE` that has a median in seconds."""
    found = TABLE.search(text)
    for line in found.group().splitlines() if found else ():
        cells = [cell.strip().replace("`", "") for cell in line.strip("| ").split("|")]
        seconds = _SECONDS.fullmatch(cells[2]) if len(cells) > 3 else None
        if line.startswith("|") and seconds:
            yield cells[0], Bar(cells[1], float(seconds[1]))


def draw_chart(text: str) -> str:
    """The chart of a document's `TABLE`, as SVG. Each group has a scale of its own."""
    rows = tuple(read_table(text))
    found = (
        (title, [bar for scenario, bar in rows if re.match(pattern, scenario)])
        for title, pattern in _GROUPS
    )
    groups = [(title, bars) for title, bars in found if bars]
    height = sum(_TITLE + _LINE * len(bars) for _, bars in groups) + _LINE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">',
        "<title>Seconds, each group on a scale of its own: less is better</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    top = 0
    for title, bars in groups:
        top += _TITLE
        parts.append(f'<text class="title" x="10" y="{top - 8}">{escape(title)}</text>')
        parts += _draw_bars(bars, top)
        top += _LINE * len(bars)
    return "\n".join((*parts, "</svg>", ""))


def _draw_bars(bars: Sequence[Bar], top: int) -> Iterator[str]:
    longest = max(bar.seconds for bar in bars)
    for number, bar in enumerate(bars):
        y = top + number * _LINE
        width = max(2, round(_BAR * bar.seconds / longest))
        kind = "ours" if _OURS.match(bar.contender) else "other"
        label = escape(bar.contender)
        yield f'<text class="label" x="{_LABEL}" y="{y + 14}">{label}</text>'
        yield f'<rect class="{kind}" x="{_LABEL + 10}" y="{y + 3}" width="{width}" height="14"/>'
        yield f'<text x="{_LABEL + width + 18}" y="{y + 14}">{bar.seconds:g} s</text>'


if __name__ == "__main__":
    CHART_FILE.write_text(draw_chart(TABLE_FILE.read_text()))
