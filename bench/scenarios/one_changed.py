"""What does one changed image among many cost, beside building just that one with plain buildx?"""

from __future__ import annotations

from collections.abc import Iterable

from bench.checkout import in_use
from bench.measure import Contender, interleave
from bench.report import Goal, Row
from bench.repositories import write_images
from bench.workbench import Workbench, unique

SIZES = (1000,)

# Seconds beyond `list ::` and the plain build.
_GOAL = 0.25


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """The unchanged `package ::`, the one with a change, and the plain build, in turns."""
    repository, checkout = bench.images(size)
    plain = write_images(bench.folder / "one-plain", 1, "docker_buildkit_image")
    index = size // 2
    tag = f"{bench.tools.registry}/bench/one-plain:latest"

    def package() -> str:
        return checkout.pants("package", "::")

    def build_plain() -> str:
        return bench.buildx(plain.directory(0), "build", "--push", "--tag", tag, ".")

    with in_use(checkout):
        package()
        build_plain()
        took = interleave(
            [
                Contender("list ::", lambda: checkout.pants("list", "::")),
                Contender("package ::, unchanged", package),
                Contender(
                    "package ::, one changed",
                    package,
                    prepare=lambda: repository.change(index, unique()),
                ),
                Contender(
                    "buildx build of the one",
                    build_plain,
                    prepare=lambda: plain.change(0, unique()),
                ),
            ],
            bench.runs,
        )
    scenario = f"1 of {size:,} images changed"
    listed, _, changed, alone = took.values()
    beyond = changed.median - listed.median - alone.median
    goals = {
        "package ::, one changed": Goal(beyond, _GOAL, "s beyond list and build"),
    }
    for name, samples in took.items():
        yield Row(scenario, name, samples, goal=goals.get(name))
