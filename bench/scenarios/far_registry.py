"""What do unchanged images and new tags cost where each request takes 50 ms?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from bench.checkout import Checkout, in_use
from bench.distance import FarRegistry, Traffic, far_registry, free_port
from bench.git import commit, git_worktree
from bench.measure import Contender, interleave
from bench.report import Goal, Row
from bench.repositories import write_images
from bench.workbench import TAG_OF_COMMIT, Workbench

SIZES = (1000,)

_ROUND_TRIP = 50
"""Milliseconds. From Europe to a registry on the same continent: 20 to 40; across an ocean: 100."""

_GOAL_SIZE = 1000
_PACKAGE_GOAL = 1.0
_PUBLISH_GOAL = 3.0


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Images that are all pushed, and one new tag for each, a distance away."""
    with far_registry(bench.tools.registry, _port(bench, size)) as registry:
        checkout = _checkout(bench, size, registry)
        with in_use(checkout), git_worktree(checkout):
            commit(checkout)
            checkout.pants("publish", "::")
            traffic: dict[str, Traffic] = {}

            def far(goal: str) -> Callable[[], None]:
                def run() -> None:
                    registry.move(_ROUND_TRIP)
                    checkout.pants(goal, "::")
                    traffic[goal] = registry.move(0)

                return run

            contenders = [
                Contender("list ::", far("list")),
                Contender("package ::", far("package")),
                Contender("publish ::", far("publish"), prepare=lambda: commit(checkout)),
            ]
            listed, packaged, published = interleave(contenders, bench.runs).values()
    scenario = f"{size:,} images, registry {_ROUND_TRIP} ms away"
    in_goal = size == _GOAL_SIZE
    beyond = packaged.median - listed.median
    yield Row(scenario, "list ::", listed)
    yield Row(
        scenario,
        f"package ::, unchanged, {traffic['package'].requests:,} requests",
        packaged,
        goal=Goal(beyond, _PACKAGE_GOAL if in_goal else None, "s beyond list"),
    )
    beyond = published.median - packaged.median
    yield Row(
        scenario,
        f"publish ::, a new tag each, {traffic['publish'].requests:,} requests",
        published,
        goal=Goal(beyond, _PUBLISH_GOAL if in_goal else None, "s beyond package"),
    )


def _checkout(bench: Workbench, size: int, registry: FarRegistry) -> Checkout:
    checkout = bench.plugin_checkout(f"far-{size}")
    write_images(checkout.path, size, "docker_buildkit_image")
    near, far = bench.tools.registry, registry.address
    settings = (each.replace(near, far) for each in checkout.settings)
    return replace(checkout, settings=(*settings, TAG_OF_COMMIT))


def _port(bench: Workbench, size: int) -> int:
    """The port of the registry, which is in the keys of the images: the same each time."""
    note = bench.folder / f"far-{size}" / "port"
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(str(free_port()))
    return int(note.read_text())
