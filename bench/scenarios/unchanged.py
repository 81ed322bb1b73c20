"""What does an unchanged `package ::` cost, beside `list ::`, `docker_image` and bake?"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from bench.checkout import Checkout, in_use
from bench.measure import Contender, interleave
from bench.report import Goal, Row
from bench.repositories import ImagesRepository, write_bake_file, write_images
from bench.workbench import Workbench

SIZES = (10, 100, 1000)

_GOAL_SIZE = 1000
_GOAL = 1.5
_PLAN = "plan-images ::"

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
            Contender(_PLAN, lambda: checkout.pants(_PLAN.split()[0], "::")),
        ]
        if size <= _MOST_BAKED_IMAGES:
            contenders.append(_bake(bench, repository))
        if size <= _MOST_CORE_IMAGES and bench.tools.pants_configuration:
            core = open_checkouts.enter_context(in_use(_core_checkout(bench, size)))
            contenders.append(Contender(_CORE, lambda: core.pants("package", "::")))
        for contender in contenders:
            contender.step()
        took = interleave(contenders, bench.runs)
    listing = took["list ::"].median
    for name, samples in took.items():
        limit = _GOAL if size == _GOAL_SIZE and name in ("package ::", _PLAN) else None
        goal = None if name == "list ::" else Goal(samples.median / listing, limit, "x list")
        if name == _PLAN:
            goal = Goal(samples.median / took["package ::"].median, limit, "x package")
        yield Row(f"{size:,} images, unchanged", name, samples, goal=goal)


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
            'env_vars = ["DOCKER_HOST", "HOME"]',
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
