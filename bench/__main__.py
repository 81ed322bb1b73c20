"""The command: `./bench/run`, or `python3 -m bench` in the checkout. See `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.checkout import FailedRunError
from bench.measure import Clock, say
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
    # The first build of all images is measured, and what follows needs them.
    "everything": everything,
    "unchanged": unchanged,
    "one-changed": one_changed,
    "publish": publish,
    "far-registry": far_registry,
    "fresh-build": fresh_build,
    "new-machine": new_machine,
    "large-context": large_context,
    "memory": memory,
}

_INTERRUPTED = 130
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
    clock = Clock()
    # Whoever ends it means what is started for it, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _folder(options.keep) as folder:
        bench = Workbench(folder, tools, options.runs)
        if bench.copy_plugin():
            shutil.rmtree(_results(bench), ignore_errors=True)
        wanted = tuple(_wanted(options))
        for number, (name, size) in enumerate(wanted):
            say(f"[{number + 1}/{len(wanted)}, after {clock.minutes}] {name}:{size}")
            try:
                rows += _measure(bench, name, size, resume=options.resume)
            except (FailedRunError, MissingToolError, OSError) as e:
                say(f"{name}:{size}: {e}")
                has_failed = True
            except KeyboardInterrupt:
                say("Interrupted. With --keep, --resume goes on from here.")
                return _INTERRUPTED
    print(render(rows))
    print()
    print(f"{options.runs} runs each, interleaved; medians. From {started} to {_conditions()}.")
    versions = ", ".join(f"{name} {version}" for name, version in tools.versions())
    print(f"{versions}. It took {clock.minutes}.")
    if has_failed:
        say("Nothing is recorded. With --keep and --resume, only what failed is measured again.")
        return 2
    if options.record:
        record(rows, f"{started}, {options.runs} runs, {versions}")
    return 1 if any(row.goal and row.goal.verdict == "missed" for row in rows) else 0


def _measure(bench: Workbench, name: str, size: int, *, resume: bool) -> Sequence[Row]:
    """The rows of one scenario, kept in a file as soon as they are complete."""
    results = _results(bench) / f"{name}-{size}-{bench.runs}.json"
    if resume and results.exists():
        say("  measured before")
        return from_document(json.loads(results.read_text()))
    rows = tuple(SCENARIOS[name].measure(bench, size))
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(to_document(rows), indent=1))
    return rows


def _results(bench: Workbench) -> Path:
    """What was measured, of the plugin as it is."""
    return bench.folder / "results"


def _wanted(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Each scenario with each size."""
    for each in options.only or [Wanted(name) for name in SCENARIOS]:
        sizes: tuple[int, ...] = each.sizes or SCENARIOS[each.name].SIZES
        if options.quick:
            most = _QUICK_FILES if each.name == "large-context" else _QUICK_IMAGES
            sizes = tuple(sorted({min(size, most) for size in sizes}))
        for size in sizes:
            yield each.name, size


@dataclass(frozen=True)
class Wanted:
    """A scenario, and its sizes where others are wanted than those that it has by itself."""

    name: str
    sizes: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """`NAME` or `NAME:SIZE,SIZE`, as the option says it."""
        name, _, sizes = text.partition(":")
        if name not in SCENARIOS or not re.fullmatch(r"(\d+(,\d+)*)?", sizes):
            raise argparse.ArgumentTypeError(f"not a scenario, or not its sizes: {text}")
        return cls(name, tuple(int(each) for each in sizes.split(",")) if sizes else ())


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
        "--only",
        action="append",
        type=Wanted.parse,
        metavar="SCENARIO[:SIZE,SIZE]",
        help=f"one scenario; may be repeated: {', '.join(SCENARIOS)}",
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
        "--resume",
        action="store_true",
        help="with --keep: do not measure again what is complete, if the plugin is the same",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
