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
_MOST_OPEN = 12
_WORTH_SAYING = 0.1


def to_trace_events(builds: Sequence[TimedBuild]) -> str:
    """In the format of https://ui.perfetto.dev: an image is a process, with as few lanes as fit."""
    events: list[dict[str, Any]] = []
    for number, build in enumerate(builds, 1):
        events.append(_name("process_name", number, 0, build.target))
        details = {
            "reason": build.reason,
            "bytes sent": build.sent,
            "failed": build.has_failed,
            "seconds waited": build.waited,
            "bytes of layers": {each.platform: list(each.layers) for each in build.sizes},
        }
        if build.waited:
            began = build.started - build.waited
            events.append(_event(number, 0, "waiting", began, build.waited, {}))
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
    lines.append("| image | why | waited | seconds | steps | cached | sent | size |")
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for each in builds:
        cached = sum(step.is_cached for step in each.steps)
        failed = " (failed)" if each.has_failed else ""
        lines.append(
            f"| {_cell(each.target)}{failed} | {_cell(each.reason)} | {each.waited:.1f} |"
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
        _rows(build, start, span, is_open=is_open or build.has_failed) for build in builds
    )
    slowest = "".join(
        f"<tr><td>{html.escape(step.name)}<td>{html.escape(build.target)}"
        f"<td class=n>{step.seconds:.1f} s"
        for build, step in _slowest(builds)
    )
    table = _SLOWEST_TABLE.format(slowest=slowest) if slowest else ""
    return _PAGE.format(
        title=f"{_count(len(builds), 'image')} built in {span:.1f} s",
        facts="".join(f"<div><b>{value}</b>{name}</div>" for name, value in _facts(builds)),
        axis="".join(_axis(span)),
        rows=rows or "<p>Nothing had to be built.",
        slowest=table,
    )


def _facts(builds: Sequence[TimedBuild]) -> Iterator[tuple[str, str]]:
    """What the whole run comes to."""
    steps = [step for build in builds for step in build.steps]
    failed = sum(build.has_failed for build in builds)
    yield ("image" if len(builds) == 1 else "images"), str(len(builds))
    if failed:
        yield "failed", str(failed)
    yield "steps", str(len(steps))
    yield "of them cached", str(sum(step.is_cached for step in steps))
    yield "sent to builders", size(sum(build.sent for build in builds))
    yield "in layers", size(sum(build.size for build in builds))
    yield "waited at most", f"{max((build.waited for build in builds), default=0.0):.1f} s"


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
    times = {"ts": round(started * 1e6), "dur": round(seconds * 1e6)}
    return {"ph": "X", "name": name, "pid": process, "tid": thread, **times, "args": details}


def _axis(span: float) -> Iterator[str]:
    for number in range(_TICKS + 1):
        percent = 100 * number / _TICKS
        yield f'<span style="left:{percent:.2f}%">{span * number / _TICKS:.1f} s</span>'


def _rows(build: TimedBuild, start: float, span: float, *, is_open: bool) -> str:
    cached = sum(step.is_cached for step in build.steps)
    about = [f"{build.seconds:.1f} s", f"{_count(len(build.steps), 'step')}, {cached} cached"]
    if build.waited >= _WORTH_SAYING:
        about.insert(0, f"waited {build.waited:.1f} s")
    about.append(f"{size(build.sent)} sent")
    sizes = ""
    if build.sizes:
        layers = html.escape(_layers(build), quote=True)
        sizes = f' · <span title="{layers}">{html.escape(_sizes(build))} in layers</span>'
    kind = "failed" if build.has_failed else "image"
    bar = _bar(build.started, build.seconds, start, span, kind, build.target)
    if build.waited >= _WORTH_SAYING:
        began = build.started - build.waited
        label = f"waited {build.waited:.1f} s"
        bar = _bar(began, build.waited, start, span, "waited", label) + bar
    lanes = "".join(
        f"<div class=lane>{''.join(_step_bar(step, start, span) for step in lane)}</div>"
        for lane in build.lanes()
    )
    return (
        f"<details{' open' if is_open else ''}><summary><b>{html.escape(build.target)}</b>"
        f" <i>{html.escape(build.reason)}</i> <small>{' · '.join(about)}{sizes}</small>"
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
  --image: #2563eb; --step: #0d9488; --cached: #8b949e; --failed: #dc2626 }}
@media (prefers-color-scheme: dark) {{ :root {{ --quiet: #9aa4af; --back: #0d1117; --card: #161b22;
  --image: #3b82f6; --step: #0f9f92; --cached: #57606a; --failed: #ef4444 }} }}
body {{ font: 14px/1.45 system-ui, sans-serif; max-width: 90rem; margin: 1.5rem auto;
  padding: 0 1.25rem; background: var(--back) }}
h1 {{ font-size: 1.35rem; margin: 0 0 .75rem }} h2 {{ font-size: 1.05rem; margin: 1.5rem 0 .25rem }}
.facts {{ display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1rem }}
.facts div {{ background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .35rem .75rem; color: var(--quiet); font-size: .8rem }}
.facts b {{ display: block; color: CanvasText; font-size: 1.05rem }}
.top {{ position: sticky; top: 0; z-index: 2; background: var(--back); padding-top: .4rem }}
.axis {{ position: relative; height: 1.3rem; border-bottom: 1px solid var(--line) }}
.axis span {{ position: absolute; transform: translateX(-50%); font-size: .75rem;
  color: var(--quiet); white-space: nowrap }}
.axis span:first-child {{ transform: none }}
.axis span:last-child {{ transform: translateX(-100%) }}
details {{ border-bottom: 1px solid var(--line); padding: .35rem 0 }}
summary {{ cursor: pointer; list-style-position: outside }}
details {{ overflow-wrap: anywhere }}
i {{ color: var(--quiet); margin-left: .4rem }}
small {{ color: var(--quiet); float: right; font-size: .8rem }}
.lane {{ clear: both; position: relative; height: 1.25rem; margin: 2px 0;
  background-size: 12.5% 100%;
  background-image: linear-gradient(to right, var(--line) 1px, transparent 1px) }}
.bar {{ position: absolute; top: 0; bottom: 0; border-radius: 3px; overflow: hidden;
  padding: 0 4px; box-sizing: border-box; white-space: nowrap;
  font-size: .72rem; line-height: 1.25rem; color: #fff }}
.image {{ background: var(--image) }} .step {{ background: var(--step) }}
.cached {{ background: var(--cached) }} .failed {{ background: var(--failed) }}
.waited {{ color: var(--quiet); background: repeating-linear-gradient(135deg, var(--line) 0 4px,
  transparent 4px 8px) }}
.bar:hover {{ overflow: visible; z-index: 1 }}
table {{ border-collapse: collapse; width: 100% }} tr {{ border-bottom: 1px solid var(--line) }}
th {{ color: var(--quiet); font-weight: normal }}
td, th {{ text-align: left; padding: .2rem .8rem .2rem 0; overflow-wrap: anywhere }}
.n {{ text-align: right; white-space: nowrap }}
.key span {{ border-radius: 3px; padding: 0 .5rem; margin-right: .4rem; font-size: .75rem;
  display: inline-block }}
.key .image, .key .step, .key .cached, .key .failed {{ color: #fff }}
</style>
<h1>{title}</h1>
<div class=facts>{facts}</div>
<div class=top><div class=key><span class=waited>waiting</span><span class=image>image</span><span
class=step>step</span><span class=cached>cached step</span><span class=failed>failed</span></div>
<div class=axis>{axis}</div></div>
{rows}
{slowest}</html>
"""
