"""What does the plugin add to a build that has to run?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.checkout import in_use
from bench.measure import Contender, interleave
from bench.report import Goal, Row
from bench.repositories import write_base, write_real_image
from bench.workbench import Workbench, unique

# A build of some seconds, and one of about half a minute: what Pants adds is the same for both.
SIZES = (1, 10)

_GOAL = 1.10
# Of less work, what Pants takes to start is a third.
_GOAL_SIZE = 10
_LINES = 600_000
_ASSETS_MEGABYTES = 16


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """A real image whose content no cache has seen; its steps work on `size` times as much."""
    write_base(bench.folder / "base", bench.tools.busybox)
    base = f"{bench.tools.registry}/bench/base:latest"
    bench.buildx(bench.folder / "base", "build", "--push", "--tag", base, ".")
    checkout = bench.plugin_checkout(f"fresh-{size}")
    rewriting = bench.plugin_checkout(f"fresh-reproducible-{size}")
    plain = bench.folder / f"fresh-plain-{size}"
    for path, fields in (
        (checkout.path, ""),
        (rewriting.path, "reproducible=True"),
        (plain, ""),
    ):
        write_real_image(
            path, base, lines=_LINES * size, assets_megabytes=_ASSETS_MEGABYTES, fields=fields
        )
    arguments = (
        "build",
        "--push",
        "--build-arg",
        f"BASE={base}",
        "--tag",
        f"{bench.tools.registry}/bench/fresh-plain-{size}:latest",
        "service",
    )

    def stamp(folder: Path) -> None:
        (folder / "service" / "stamp.txt").write_text(f"{unique()}\n")

    with in_use(checkout), in_use(rewriting):
        checkout.pants("package", "::")
        rewriting.pants("package", "::")
        bench.buildx(plain, *arguments)
        took = interleave(
            [
                Contender(
                    "buildx build --push",
                    lambda: bench.buildx(plain, *arguments),
                    prepare=lambda: stamp(plain),
                ),
                Contender(
                    "package ::",
                    lambda: checkout.pants("package", "::"),
                    prepare=lambda: stamp(checkout.path),
                ),
                Contender(
                    "package ::, reproducible",
                    lambda: rewriting.pants("package", "::"),
                    prepare=lambda: stamp(rewriting.path),
                ),
            ],
            bench.runs,
        )
    scenario = f"fresh build, work x {size}"
    plainly, packaged = took["buildx build --push"], took["package ::"]
    yield Row(scenario, "buildx build --push", plainly)
    ratio = packaged.median / plainly.median
    goal = _GOAL if size == _GOAL_SIZE else None
    yield Row(scenario, "package ::", packaged, goal=Goal(ratio, goal, "x buildx"))
    rewritten = took["package ::, reproducible"]
    ratio = rewritten.median / plainly.median
    yield Row(scenario, "package ::, reproducible", rewritten, goal=Goal(ratio, None, "x buildx"))
