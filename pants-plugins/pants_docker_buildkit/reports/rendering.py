"""A report of builds: HTML that needs nothing else, trace events for Perfetto, or Markdown."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pants_docker_buildkit.reports.timeline import TimedBuild, TimedStep

_SLOWEST = 10
_TICKS = 8
_SHORTEST_PERCENT = 0.15


def to_trace_events(builds: Sequence[TimedBuild]) -> str:
    """In the format of https://ui.perfetto.dev: an image is a process, with as few lanes as fit."""
    events: list[dict[str, Any]] = []
    for number, build in enumerate(builds, 1):
        events.append(_name("process_name", number, 0, build.target))
        details = {"reason": build.reason, "bytes sent": build.sent, "failed": build.has_failed}
        events.append(_event(number, 0, build.target, build.started, build.seconds, details))
        for lane, steps in enumerate(build.lanes(), 1):
            events.append(_name("thread_name", number, lane, "steps"))
            for step in steps:
                details = {
                    "cached": step.is_cached,
                    "failed": step.has_failed,
                    "bytes sent": step.sent,
                }
                events.append(_event(number, lane, step.name, step.started, step.seconds, details))
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=1) + "\n"


def to_markdown(builds: Sequence[TimedBuild]) -> str:
    """For the summary of a job: the images that were built, and what took longest."""
    if not builds:
        return "No image was built.\n"
    lines = [f"**{_count(len(builds), 'image')} built in {_span(builds):.1f} s**", ""]
    lines += ["| image | why | seconds | steps | cached | sent |", "|---|---|---:|---:|---:|---:|"]
    for each in builds:
        cached = sum(step.is_cached for step in each.steps)
        failed = " (failed)" if each.has_failed else ""
        lines.append(
            f"| {_cell(each.target)}{failed} | {_cell(each.reason)} | {each.seconds:.1f} |"
            f" {len(each.steps)} | {cached} | {size(each.sent)} |"
        )
    lines += ["", "| slowest step | image | seconds |", "|---|---|---:|"]
    for build, step in _slowest(builds):
        lines.append(f"| {_cell(step.name)} | {_cell(build.target)} | {step.seconds:.1f} |")
    return "\n".join((*lines, ""))


def to_html(builds: Sequence[TimedBuild]) -> str:
    """One page with all images on one axis. Nothing is loaded from anywhere."""
    start = min((each.started for each in builds), default=0.0)
    span = _span(builds)
    rows = "".join(_rows(build, start, span) for build in builds)
    slowest = "".join(
        f"<tr><td>{html.escape(step.name)}<td>{html.escape(build.target)}"
        f"<td class=n>{step.seconds:.1f} s"
        for build, step in _slowest(builds)
    )
    return _PAGE.format(
        title=f"{_count(len(builds), 'image')} built in {span:.1f} s",
        axis="".join(_axis(span)),
        rows=rows or "<p>Nothing had to be built.",
        slowest=slowest,
    )


RENDERERS: Mapping[str, Callable[[Sequence[TimedBuild]], str]] = MappingProxyType(
    {".html": to_html, ".json": to_trace_events, ".md": to_markdown}
)
"""What is written into a file, by the ending of its name."""


def size(count: int) -> str:
    """Bytes as people say them."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _span(builds: Sequence[TimedBuild]) -> float:
    start = min((each.started for each in builds), default=0.0)
    return max((each.ended for each in builds), default=start) - start


def _slowest(builds: Sequence[TimedBuild]) -> list[tuple[TimedBuild, TimedStep]]:
    steps = [(build, step) for build in builds for step in build.steps if not step.is_cached]
    return sorted(steps, key=lambda pair: -pair[1].seconds)[:_SLOWEST]


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table, as it is."""
    for each in "\\`*_[]<>|":
        text = text.replace(each, f"\\{each}")
    return " ".join(text.split())


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _event(
    process: int, thread: int, name: str, started: float, seconds: float, details: dict[str, Any]
) -> dict[str, Any]:
    times = {"ts": round(started * 1e6), "dur": round(seconds * 1e6)}
    return {"ph": "X", "name": name, "pid": process, "tid": thread, **times, "args": details}


def _axis(span: float) -> Iterator[str]:
    for number in range(_TICKS + 1):
        percent = 100 * number / _TICKS
        yield f'<span style="left:{percent:.2f}%">{span * number / _TICKS:.1f} s</span>'


def _rows(build: TimedBuild, start: float, span: float) -> str:
    cached = sum(step.is_cached for step in build.steps)
    about = (
        f"{build.seconds:.1f} s, {_count(len(build.steps), 'step')}, {cached} cached,"
        f" {size(build.sent)} sent"
    )
    kind = "failed" if build.has_failed else "image"
    bar = _bar(build.started, build.seconds, start, span, kind, build.target)
    lanes = "".join(
        f"<div class=lane>{''.join(_step_bar(step, start, span) for step in lane)}</div>"
        for lane in build.lanes()
    )
    return (
        f"<details open><summary><b>{html.escape(build.target)}</b>"
        f" <i>{html.escape(build.reason)}</i> <small>{about}</small>"
        f"<div class=lane>{bar}</div></summary>{lanes}</details>"
    )


def _step_bar(step: TimedStep, start: float, span: float) -> str:
    kind = "failed" if step.has_failed else "cached" if step.is_cached else "step"
    sent = f", {size(step.sent)} sent" if step.sent else ""
    label = f"{step.name} ({'cached' if step.is_cached else f'{step.seconds:.1f} s'}{sent})"
    return _bar(step.started, step.seconds, start, span, kind, label)


def _bar(started: float, seconds: float, start: float, span: float, kind: str, label: str) -> str:
    whole = span or 1.0
    # The clock of a builder may be another.
    left = min(max(0.0, 100 * (started - start) / whole), 100.0 - _SHORTEST_PERCENT)
    width = min(max(_SHORTEST_PERCENT, 100 * seconds / whole), 100.0 - left)
    text = html.escape(label, quote=True)
    style = f"left:{left:.2f}%;width:{width:.2f}%"
    return f'<div class="bar {kind}" style="{style}" title="{text}">{text}</div>'


_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; }}
body {{ font: 14px/1.4 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto }}
body {{ padding: 0 1rem }}
h1 {{ font-size: 1.3rem }}
.axis {{ position: relative; height: 1.4rem; border-bottom: 1px solid var(--line) }}
.axis span {{ position: absolute; transform: translateX(-50%); font-size: .75rem; opacity: .7;
  white-space: nowrap }}
.axis span:first-child {{ transform: none }}
.axis span:last-child {{ transform: translateX(-100%) }}
details {{ border-bottom: 1px solid var(--line); padding: .4rem 0 }}
summary {{ cursor: pointer }} small, i {{ opacity: .75; margin-left: .5rem }}
.lane {{ position: relative; height: 1.25rem; margin: 2px 0; background-size: 12.5% 100%;
  background-image: linear-gradient(to right, var(--line) 1px, transparent 1px) }}
.bar {{ position: absolute; top: 0; bottom: 0; border-radius: 3px; overflow: hidden;
  padding: 0 4px; box-sizing: border-box; white-space: nowrap;
  font-size: .72rem; line-height: 1.25rem; color: #fff }}
.image {{ background: #1d4ed8 }} .step {{ background: #0f766e }} .cached {{ background: #6b7280 }}
.failed {{ background: #b91c1c }}
.bar:hover {{ overflow: visible; z-index: 1 }}
table {{ border-collapse: collapse; margin-top: 1rem }}
td, th {{ text-align: left; padding: .15rem .8rem .15rem 0 }} .n {{ text-align: right }}
.key span {{ color: #fff; border-radius: 3px; padding: 0 .5rem; margin-right: .4rem;
  font-size: .75rem }}
</style>
<h1>{title}</h1>
<p class=key><span class=image>image</span><span class=step>step</span>
<span class=cached>cached step</span><span class=failed>failed</span></p>
<div class=axis>{axis}</div>
{rows}
<table><tr><th>slowest steps<th>image<th class=n>time{slowest}</table>
</html>
"""
