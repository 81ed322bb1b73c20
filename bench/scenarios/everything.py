"""What do many images take that all have to be built, beside bake and buildx of the same?"""

from __future__ import annotations

from collections.abc import Iterable

from bench.checkout import in_use, run
from bench.measure import Contender, interleave
from bench.report import Goal, Row
from bench.repositories import ImagesRepository, write_bake_file, write_images
from bench.workbench import Workbench, unique

SIZES = (100, 1000)

_GOAL = 1.0

# A bake of 1,000 is canceled.
_MOST_BAKED_IMAGES = 100
_PACKAGE = "package ::"
_BAKE = "buildx bake"
_AT_ONCE = (2, 8)


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Small images with a content that no cache has seen; the layers below are none."""
    repository, checkout = bench.images(size)
    plain = write_images(bench.folder / f"everything-{size}", size, "docker_buildkit_image")
    contenders = [
        Contender(
            _PACKAGE,
            lambda: checkout.pants("package", "::"),
            prepare=lambda: _change_all(repository),
        )
    ]
    if size <= _MOST_BAKED_IMAGES:
        bake_file = write_bake_file(plain, bench.tools.registry, f"everything-{size}")
        contenders.append(
            Contender(
                _BAKE,
                lambda: bench.buildx(plain.path, "bake", "--file", bake_file.name),
                prepare=lambda: _change_all(plain),
            )
        )
    contenders += [_builds(bench, plain, number) for number in _AT_ONCE]
    with in_use(checkout):
        checkout.pants("package", "::")
        took = interleave(contenders, bench.runs)
    # A bake is the one process that builds all of them. Without it, the best of the others counts.
    others = {name: each.median for name, each in took.items() if name != _PACKAGE}
    against = _BAKE if _BAKE in others else min(others, key=lambda name: others[name])
    for name, samples in took.items():
        ratio = samples.median / others[against]
        goal = Goal(ratio, _GOAL, f"x {against}") if name == _PACKAGE else None
        yield Row(f"{size:,} images, all changed", name, samples, goal=goal)


def _change_all(repository: ImagesRepository) -> None:
    for index in range(repository.size):
        repository.change(index, unique())


def _builds(bench: Workbench, plain: ImagesRepository, at_once: int) -> Contender:
    """`docker buildx build --push` for each image, some of them at once."""
    tag = f"{bench.tools.registry}/everything-{plain.size}/$1:latest"
    script = f'cd "$1" && exec "$0" buildx build --quiet --push --tag "{tag}" .'
    directories = [
        str(plain.directory(index).relative_to(plain.path)) for index in range(plain.size)
    ]
    listed = plain.path / "directories.txt"
    listed.write_text("".join(f"{each}\n" for each in directories))
    command = [
        *("xargs", f"--arg-file={listed.name}", f"--max-procs={at_once}", "--max-args=1"),
        *("sh", "-c", script, bench.tools.docker),
    ]
    return Contender(
        f"buildx build, {at_once} at once",
        lambda: run(command, plain.path, bench.environment()),
        prepare=lambda: _change_all(plain),
    )
