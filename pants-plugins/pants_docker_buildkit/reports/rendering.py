"""A report of builds: HTML that needs nothing else, trace events for Perfetto, or Markdown."""

from __future__ import annotations

import html
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pants_docker_buildkit.reports.timeline import TimedBuild, TimedStep

_SLOWEST = 10
_MOST_TICKS = 8
_TICK_SECONDS = (60, 120, 300, 600, 900, 1800, 3600)
_SHORTEST_PERCENT = 0.15
_MOST_OPEN = 12
_WORTH_SAYING = 0.1


def to_trace_events(builds: Sequence[TimedBuild]) -> str:
    """In the format of https://ui.perfetto.dev: an image is a process, with as few lanes as fit."""
    events: list[dict[str, Any]] = []
    # Perfetto takes one number for one thread, whatever its process, and none of them may be 0. The
    # thread with the number of its process is the first of it.
    numbers = itertools.count(1)
    for build in builds:
        number = next(numbers)
        events.append(_name("process_name", number, number, build.target))
        events.append(_name("thread_name", number, number, "image"))
        details = {
            "reason": build.reason,
            "bytes sent": build.sent,
            "failed": build.has_failed,
            "canceled": build.was_canceled,
            "seconds waited": build.waited,
            "bytes of layers": {each.platform: list(each.layers) for each in build.sizes},
        }
        if build.waited:
            began = build.started - build.waited
            events.append(_event(number, number, "waiting", began, build.waited, {}))
        events.append(_event(number, number, build.target, build.started, build.seconds, details))
        for steps in build.lanes():
            lane = next(numbers)
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
    lines = [f"**{_title(builds)}**", ""]
    lines.append("| image | why | waited | seconds | steps | cached | sent | size |")
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for each in builds:
        cached = sum(step.is_cached for step in each.steps)
        end = f" ({_end(each)})" if _end(each) else ""
        lines.append(
            f"| {_cell(each.target)}{end} | {_cell(each.reason)} | {each.waited:.1f} |"
            f" {each.seconds:.1f} | {len(each.steps)} | {cached} | {size(each.sent)} |"
            f" {_sizes(each)} |"
        )
    lines += ["", "| slowest step | image | seconds |", "|---|---|---:|"]
    for build, step in _slowest(builds):
        lines.append(f"| {_cell(step.name)} | {_cell(build.target)} | {step.seconds:.1f} |")
    return "\n".join((*lines, ""))


def to_html(builds: Sequence[TimedBuild]) -> str:
    """One page with all images on one axis. Nothing is loaded from anywhere."""
    start = _start(builds)
    span = _span(builds)
    # Of many images, what failed is what one looks for.
    is_open = len(builds) <= _MOST_OPEN
    rows = "".join(
        _rows(number, build, start, span, is_open=is_open or build.has_failed)
        for number, build in enumerate(builds)
    )
    failed = ", ".join(
        f'<a href="#image{number}">{html.escape(build.target)}</a>'
        for number, build in enumerate(builds)
        if build.has_failed
    )
    ticks = tuple(_ticks(span))
    slowest = "".join(
        f"<tr><td>{html.escape(step.name)}<td>{html.escape(build.target)}"
        f"<td class=n>{duration(step.seconds)}"
        for build, step in _slowest(builds)
    )
    table = _SLOWEST_TABLE.format(slowest=slowest) if slowest else ""
    return _PAGE.format(
        title=_title(builds),
        facts="".join(f"<div><b>{value}</b>{name}</div>" for name, value in _facts(builds)),
        failed=f"<p class=list><b>Failed:</b> {failed}" if failed else "",
        tick=f"{100 * ticks[1] / span:.4f}%" if len(ticks) > 1 else "100%",
        axis="".join(_axis(ticks, span)),
        rows=rows or "<p>Nothing had to be built.",
        slowest=table,
    )


def _facts(builds: Sequence[TimedBuild]) -> Iterator[tuple[str, str]]:
    """What the whole run comes to."""
    steps = [step for build in builds for step in build.steps]
    yield ("image" if len(builds) == 1 else "images"), str(len(builds))
    for end, count in _ends(builds).items():
        yield end, str(count)
    yield "steps", str(len(steps))
    yield "of them cached", str(sum(step.is_cached for step in steps))
    yield "sent to builders", size(sum(build.sent for build in builds))
    yield "in layers", size(sum(build.size for build in builds))
    yield "waited at most", duration(max((build.waited for build in builds), default=0.0))


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


def duration(seconds: float) -> str:
    """A time as people say it."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _title(builds: Sequence[TimedBuild]) -> str:
    ends = _ends(builds)
    said = [f"{_count(len(builds) - sum(ends.values()), 'image')} built"]
    said += (f"{count} {end}" for end, count in ends.items())
    *first, last = said
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"{listed} in {duration(_span(builds))}"


def _end(build: TimedBuild) -> str:
    """How a build ended that gave no image; empty for one that did."""
    return "failed" if build.has_failed else "canceled" if build.was_canceled else ""


def _ends(builds: Sequence[TimedBuild]) -> Mapping[str, int]:
    """How many builds ended so, of those that gave no image."""
    return Counter(sorted((_end(each) for each in builds if _end(each)), reverse=True))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _start(builds: Sequence[TimedBuild]) -> float:
    """When the first image began to wait."""
    return min((each.started - each.waited for each in builds), default=0.0)


def _span(builds: Sequence[TimedBuild]) -> float:
    start = _start(builds)
    return max((each.ended for each in builds), default=start) - start


def _sizes(build: TimedBuild) -> str:
    """The bytes of an image's layers, for each platform if there are several."""
    if len(build.sizes) == 1:
        return size(build.size)
    return ", ".join(f"{each.platform} {size(each.total)}" for each in build.sizes)


def _layers(build: TimedBuild) -> str:
    """The bytes of each layer, for whoever points at them."""
    return "; ".join(
        f"{each.platform}: {' + '.join(map(size, each.layers)) or 'no layers'}"
        for each in build.sizes
    )


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
    # Of slices in one track, none may begin before the last has ended: both ends are rounded.
    begin, end = round(started * 1e6), round((started + seconds) * 1e6)
    times = {"ts": begin, "dur": end - begin}
    return {"ph": "X", "name": name, "pid": process, "tid": thread, **times, "args": details}


def _ticks(span: float) -> Iterator[float]:
    """Round times from zero on, at most `_MOST_TICKS` and one."""
    least = max(span, 0.01) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(least))
    steps = (*(power * factor for factor in (1, 2, 5, 10)), *_TICK_SECONDS)
    step = next((each for each in steps if each >= least and (each <= 30 or each % 60 == 0)), 0.0)
    step = step or 3600.0 * math.ceil(least / 3600)
    return (step * number for number in range(int(span / step) + 1))


def _tick_label(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if rest else f"{minutes} min"


def _axis(ticks: Sequence[float], span: float) -> Iterator[str]:
    for each in ticks:
        label = _tick_label(each)
        yield f'<span style="left:{100 * each / (span or 1.0):.2f}%">{label}</span>'


def _rows(number: int, build: TimedBuild, start: float, span: float, *, is_open: bool) -> str:
    cached = sum(step.is_cached for step in build.steps)
    about = [duration(build.seconds), f"{_count(len(build.steps), 'step')}, {cached} cached"]
    if build.waited >= _WORTH_SAYING:
        about.append(f"waited {duration(build.waited)}")
    about.append(f"{size(build.sent)} sent")
    sizes = ""
    if build.sizes:
        layers = html.escape(_layers(build), quote=True)
        sizes = f' · <span title="{layers}">{html.escape(_sizes(build))} in layers</span>'
    end = _end(build)
    kind = end or "image"
    label = f"{f'{end} after ' if end else ''}{duration(build.seconds)}"
    bar = _bar(build.started, build.seconds, start, span, kind, label)
    if build.waited >= _WORTH_SAYING:
        began = build.started - build.waited
        label = f"waited {duration(build.waited)}"
        bar = _bar(began, build.waited, start, span, "waited", label) + bar
    lanes = "".join(
        f"<div class=lane>{''.join(_step_bar(step, start, span) for step in lane)}</div>"
        for lane in build.lanes()
    )
    target, reason = html.escape(build.target, quote=True), html.escape(build.reason, quote=True)
    return (
        f'<details id="image{number}"{" open" if is_open else ""}><summary><div class=name>'
        f'<b title="{target}">{target}</b><i title="{reason}">{reason}</i>'
        f"<small>{' · '.join(about)}{sizes}</small></div><div class=lane>{bar}</div></summary>"
        f"{lanes}</details>"
    )


def _step_bar(step: TimedStep, start: float, span: float) -> str:
    kind = "failed" if step.has_failed else "cached" if step.is_cached else "step"
    sent = f", {size(step.sent)} sent" if step.sent else ""
    label = f"{step.name} ({'cached' if step.is_cached else duration(step.seconds)}{sent})"
    return _bar(step.started, step.seconds, start, span, kind, label)


def _bar(started: float, seconds: float, start: float, span: float, kind: str, label: str) -> str:
    whole = span or 1.0
    # The clock of a builder may be another.
    left = min(max(0.0, 100 * (started - start) / whole), 100.0 - _SHORTEST_PERCENT)
    width = min(max(_SHORTEST_PERCENT, 100 * seconds / whole), 100.0 - left)
    text = html.escape(label, quote=True)
    style = f"left:{left:.2f}%;width:{width:.2f}%"
    return f'<div class="bar {kind}" style="{style}" title="{text}">{text}</div>'


_SLOWEST_TABLE = """\
<h2>Slowest steps</h2>
<table><tr><th>step<th>image<th class=n>time{slowest}</table>
"""

_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8883; --quiet: #57606a; --back: #fff; --card: #f6f8fa;
  --image: #2563eb; --step: #0d9488; --cached: #8b949e; --failed: #dc2626;
  --names: 28rem; --tick: {tick} }}
@media (prefers-color-scheme: dark) {{ :root {{ --quiet: #9aa4af; --back: #0d1117; --card: #161b22;
  --image: #3b82f6; --step: #0f9f92; --cached: #57606a; --failed: #ef4444 }} }}
body {{ font: 14px/1.45 system-ui, sans-serif; max-width: 90rem; margin: 1.5rem auto;
  padding: 0 1.25rem; background: var(--back) }}
h1 {{ font-size: 1.35rem; margin: 0 0 .75rem }} h2 {{ font-size: 1.05rem; margin: 1.5rem 0 .25rem }}
.facts {{ display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1rem }}
.facts div {{ background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .35rem .75rem; color: var(--quiet); font-size: .8rem }}
.facts b {{ display: block; color: CanvasText; font-size: 1.05rem }}
.list a {{ color: var(--failed) }}
.top {{ position: sticky; top: 0; z-index: 2; background: var(--back); padding-top: .4rem;
  display: flex; align-items: end; border-bottom: 1px solid var(--line) }}
.key {{ width: var(--names); flex: none }}
.axis {{ position: relative; height: 1.3rem; flex: auto }}
.axis span {{ position: absolute; transform: translateX(-50%); font-size: .75rem;
  color: var(--quiet); white-space: nowrap }}
.axis span:first-child {{ transform: none }}
details {{ border-bottom: 1px solid var(--line); padding: .3rem 0; scroll-margin-top: 3rem }}
summary {{ cursor: pointer; list-style: none; display: flex; align-items: center }}
summary::-webkit-details-marker {{ display: none }}
summary .lane {{ flex: auto; margin: 0 }}
.name {{ width: var(--names); flex: none; box-sizing: border-box; padding: 0 1rem 0 1.1rem;
  position: relative }}
.name::before {{ content: "▸"; position: absolute; left: .2rem; color: var(--quiet) }}
details[open] .name::before {{ content: "▾" }}
.name > * {{ display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }}
i, small {{ color: var(--quiet); font-size: .8rem }}
.name small {{ white-space: normal }}
details[open] .name > * {{ white-space: normal; overflow-wrap: anywhere }}
.lane {{ position: relative; height: 1.25rem; margin: 2px 0 2px var(--names);
  background-size: var(--tick) 100%;
  background-image: linear-gradient(to right, var(--line) 1px, transparent 1px) }}
@media (max-width: 50rem) {{ :root {{ --names: 0px }} .top, summary {{ display: block }}
  .key, .name {{ width: auto }} .axis span:nth-child(even) {{ display: none }} }}
.bar {{ position: absolute; top: 0; bottom: 0; border-radius: 3px; overflow: hidden;
  padding: 0 4px; box-sizing: border-box; white-space: nowrap;
  font-size: .72rem; line-height: 1.25rem; color: #fff }}
.image {{ background: var(--image) }} .step {{ background: var(--step) }}
.cached {{ background: var(--cached) }} .failed {{ background: var(--failed) }}
.canceled {{ background: repeating-linear-gradient(135deg, var(--cached) 0 6px,
  var(--failed) 6px 8px) }}
.waited {{ color: var(--quiet); background: repeating-linear-gradient(135deg, var(--line) 0 4px,
  transparent 4px 8px) }}
.bar:hover {{ overflow: visible; z-index: 1 }}
table {{ border-collapse: collapse; width: 100% }} tr {{ border-bottom: 1px solid var(--line) }}
th {{ color: var(--quiet); font-weight: normal }}
td, th {{ text-align: left; padding: .2rem .8rem .2rem 0; overflow-wrap: anywhere }}
td:nth-child(2) {{ min-width: 8rem }} .n {{ text-align: right; white-space: nowrap }}
.key span {{ border-radius: 3px; padding: 0 .5rem; margin-right: .4rem; font-size: .75rem;
  display: inline-block }}
.key .image, .key .step, .key .cached, .key .failed, .key .canceled {{ color: #fff }}
</style>
<h1>{title}</h1>
<div class=facts>{facts}</div>
{failed}
<div class=top><div class=key><span class=waited>waiting</span><span class=image>image</span><span
class=step>step</span><span class=cached>cached step</span><span class=failed>failed</span><span
class=canceled>canceled</span></div>
<div class=axis>{axis}</div></div>
{rows}
{slowest}</html>
"""
