"""What does a context of very many files cost, beside plain buildx?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from bench.checkout import in_use
from bench.measure import Contender, Samples, in_a_row, interleave
from bench.report import Goal, Row
from bench.repositories import write_many_files
from bench.workbench import Workbench, unique

SIZES = (50_000,)

_GOAL = 1.0
_MEMORY_GOAL = 4.0
"""GiB, above which Pants restarts its daemon by default (`pantsd_max_memory_usage`)."""


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Unchanged, and with one file changed."""
    checkout = bench.plugin_checkout(f"files-{size}")
    plain = bench.folder / f"files-{size}" / "plain"
    for path in (checkout.path, plain):
        write_many_files(path, size)
    tag = f"{bench.tools.registry}/bench/files-plain:latest"

    def package() -> str:
        return checkout.pants("package", "::")

    def build_plain() -> str:
        return bench.buildx(plain, "build", "--push", "--tag", tag, "tree")

    with in_use(checkout):
        package()
        build_plain()
        took = {
            **interleave(
                [
                    Contender("list ::", lambda: checkout.pants("list", "::")),
                    Contender("buildx build --push, unchanged", build_plain),
                    Contender("package ::, unchanged", package),
                ],
                bench.runs,
            ),
            # An older image of plain buildx is removed file by file during the next build.
            **in_a_row(
                [
                    Contender(
                        "buildx build --push, one changed",
                        build_plain,
                        prepare=partial(_change, plain),
                    ),
                    Contender(
                        "package ::, one changed", package, prepare=partial(_change, checkout.path)
                    ),
                ],
                bench.runs,
            ),
        }
        peak = checkout.peak_memory()
    for name, samples in took.items():
        what, _, state = name.partition(", ")
        goal = None
        if what == "package ::":
            plainly = took[f"buildx build --push, {state}"]
            limit = _GOAL if state == "one changed" else None
            goal = Goal(samples.median / plainly.median, limit, "x buildx")
        yield Row(f"context of {size:,} files", name, samples, goal=goal)
    memory = Goal(peak / (1 << 30), _MEMORY_GOAL, "GiB")
    name = "pantsd, peak memory"
    yield Row(f"context of {size:,} files", name, Samples((peak,)), unit="bytes", goal=memory)


def _change(path: Path) -> None:
    (path / "tree" / "files" / "00" / "00" / "00.txt").write_text(unique())
