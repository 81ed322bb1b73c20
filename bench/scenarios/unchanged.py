"""What does an unchanged `package ::` cost, beside `list ::`, `docker_image` and bake?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from bench.checkout import Checkout, in_use
from bench.measure import Contender, Samples, interleave
from bench.report import Goal, Row
from bench.repositories import (
    SOME_IMAGES,
    ImagesRepository,
    write_bake_file,
    write_images,
)
from bench.workbench import Workbench, unique

SIZES = (10, 100, 1000)

_GOAL_SIZE = 1000
_GOAL = 1.25
_PLAN_GOAL = 1.5
_GOAL_WITHOUT_DAEMON = 1.4
_PLAN_COMMAND = ("plan-images", "::")
_PLAN = " ".join(_PLAN_COMMAND)
_PLAN_OF_ALL = f"{_PLAN}, all changed"

# Pants' own `docker_image` takes minutes for 1,000 images, and a bake of so many is canceled.
_MOST_CORE_IMAGES = 100
_MOST_BAKED_IMAGES = 100
_CORE = "package :: of `docker_image`"


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """All contenders with `size` images, everything warm."""
    repository, checkout = bench.images(size)
    with ExitStack() as open_checkouts:
        open_checkouts.enter_context(in_use(checkout))
        contenders = [
            Contender("list ::", lambda: checkout.pants("list", "::")),
            Contender("package ::", lambda: checkout.pants("package", "::")),
            Contender(_PLAN, lambda: checkout.pants(*_PLAN_COMMAND)),
        ]
        if size <= _MOST_BAKED_IMAGES:
            contenders.append(_bake(bench, repository))
        if size <= _MOST_CORE_IMAGES and bench.tools.pants_configuration:
            core = open_checkouts.enter_context(in_use(_core_checkout(bench, size)))
            most_runs = 1 if size == _MOST_CORE_IMAGES else None
            contenders.append(
                Contender(_CORE, lambda: core.pants("package", "::"), most_runs=most_runs)
            )
        for contender in contenders:
            contender.step()
        took = {
            **interleave(contenders, bench.runs),
            **_plan_where_all_changed(bench, repository, checkout),
        }
    listing = took["list ::"].median
    in_goal = size == _GOAL_SIZE
    for name, samples in took.items():
        limit = _GOAL if in_goal and name == "package ::" else None
        goal = None if name == "list ::" else Goal(samples.median / listing, limit, "x list")
        if name in (_PLAN, _PLAN_OF_ALL):
            ratio = samples.median / took["package ::"].median
            goal = Goal(ratio, _PLAN_GOAL if in_goal else None, "x package")
        yield Row(f"{size:,} images, unchanged", name, samples, goal=goal)
    if in_goal:
        yield from _without_daemon(bench, repository, checkout)


def _plan_where_all_changed(
    bench: Workbench, repository: ImagesRepository, checkout: Checkout
) -> Mapping[str, Samples]:
    """A plan that finds no image in any cache. Afterwards all images are as they were."""
    contents = [repository.content(index) for index in range(repository.size)]
    contender = Contender(_PLAN_OF_ALL, lambda: checkout.pants(*_PLAN_COMMAND))
    try:
        for index, content in enumerate(contents):
            repository.change(index, f"{content}{unique()}\n")
        contender.step()
        contender.step()
        return interleave([contender], bench.runs)
    finally:
        for index, content in enumerate(contents):
            repository.change(index, content)
        checkout.pants("package", "::")


def _without_daemon(
    bench: Workbench, repository: ImagesRepository, checkout: Checkout
) -> Iterable[Row]:
    """As CI runs it: some of the images, by a Pants that starts for this and ends."""
    some, directories = repository.first(SOME_IMAGES)

    def contender(goal: str) -> Contender:
        command = ("--no-pantsd", goal, *directories)
        return Contender(f"{goal} ::", lambda: checkout.pants(*command))

    with in_use(checkout):
        took = interleave([contender("list"), contender("package")], bench.runs)
    scenario = f"{some:,} images, unchanged, no pantsd"
    listed, packaged = took.values()
    yield Row(scenario, "list ::", listed)
    goal = Goal(packaged.median / listed.median, _GOAL_WITHOUT_DAEMON, "x list")
    yield Row(scenario, "package ::", packaged, goal=goal)


def _core_checkout(bench: Workbench, size: int) -> Checkout:
    folder = bench.folder / f"core-{size}"
    write_images(folder / "checkout", size, "docker_image")
    return Checkout(
        path=folder / "checkout",
        machine=folder / "machine",
        tools=bench.tools,
        backend="pants.backend.docker",
        settings=(
            "[docker]",
            'default_context_root = "./"',
            'default_repository = "bench/{directory}"',
            'env_vars = ["DOCKER_CONFIG", "DOCKER_HOST", "HOME"]',
            "[python]",
            'interpreter_constraints = ["CPython==3.9.*"]',
        ),
    )


def _bake(bench: Workbench, repository: ImagesRepository) -> Contender:
    bake_file = write_bake_file(repository, bench.tools.registry, f"bake-{repository.size}")
    return Contender(
        "buildx bake",
        lambda: bench.buildx(repository.path, "bake", "--file", bake_file.name),
    )
