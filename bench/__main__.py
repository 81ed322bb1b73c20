"""The command: `./bench/run`, or `python3 -m bench` in the checkout. See `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from bench.checkout import FailedRunError
from bench.measure import say
from bench.record import record
from bench.report import Row, from_document, render, to_document
from bench.scenarios import (
    everything,
    far_registry,
    fresh_build,
    large_context,
    memory,
    new_machine,
    one_changed,
    publish,
    unchanged,
)
from bench.tools import MissingToolError, Tools
from bench.workbench import Workbench

SCENARIOS = {
    "unchanged": unchanged,
    "one-changed": one_changed,
    "everything": everything,
    "publish": publish,
    "far-registry": far_registry,
    "fresh-build": fresh_build,
    "new-machine": new_machine,
    "large-context": large_context,
    "memory": memory,
}

_LEAST_RUNS = 5
_QUICK_IMAGES = 20
_QUICK_FILES = 1000


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for, and print the table. 1 if a goal is missed, 2 if a run failed."""
    options = _parse(arguments)
    try:
        tools = Tools.find()
    except MissingToolError as e:
        say(str(e))
        return 2
    rows: list[Row] = []
    has_failed = False
    started = _conditions()
    with _folder(options.keep) as folder:
        bench = Workbench(folder, tools, options.runs)
        bench.copy_plugin()
        for name in options.only or SCENARIOS:
            for size in _sizes(name, options):
                try:
                    rows += _measure(bench, name, size, resume=options.resume)
                except (FailedRunError, MissingToolError) as e:
                    say(f"{name} {size}: {e}")
                    has_failed = True
    print(render(rows))
    print()
    print(f"{options.runs} runs each, interleaved; medians. From {started} to {_conditions()}.")
    versions = ", ".join(f"{name} {version}" for name, version in tools.versions())
    print(versions)
    if options.record and not has_failed:
        record(rows, f"{started}, {options.runs} runs, {versions}")
    if has_failed:
        return 2
    return 1 if any(row.goal and row.goal.verdict == "missed" for row in rows) else 0


def _measure(bench: Workbench, name: str, size: int, *, resume: bool) -> Sequence[Row]:
    """The rows of one scenario, kept in a file as soon as they are complete."""
    results = bench.folder / "results" / f"{name}-{size}.json"
    if resume and results.exists():
        return from_document(json.loads(results.read_text()))
    say(f"{name} {size}")
    rows = tuple(SCENARIOS[name].measure(bench, size))
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(to_document(rows), indent=1))
    return rows


def _sizes(name: str, options: argparse.Namespace) -> Sequence[int]:
    sizes: tuple[int, ...] = SCENARIOS[name].SIZES
    if options.quick:
        most = _QUICK_FILES if name == "large-context" else _QUICK_IMAGES
        return sorted({min(size, most) for size in sizes})
    if options.sizes and len(sizes) > 1:
        return [size for size in sizes if size in options.sizes]
    return sizes


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


def _conditions() -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC (load {load})"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--runs", type=int, default=_LEAST_RUNS, help="how often to measure each")
    parser.add_argument(
        "--only", action="append", choices=sorted(SCENARIOS), help="one scenario; may be repeated"
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(each) for each in text.split(",")],
        help="of the scenarios with several sizes, only these, such as 10,100",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that everything works"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the table in docs/benchmarks.md"
    )
    parser.add_argument(
        "--keep", type=Path, help="work in this folder and keep it: the next time builds nothing"
    )
    parser.add_argument(
        "--resume", action="store_true", help="with --keep: do not measure again what is complete"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
