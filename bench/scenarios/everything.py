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

# Building 1,000 takes minutes, so that is measured once; of plain builds 100, taken tenfold.
# A bake of 1,000 is canceled.
_MOST_IMAGES = 100
_PACKAGE = "package ::"
_BAKE = "buildx bake"
_AT_ONCE = (2, 8)


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Small images with a content that no cache has seen; the layers below are none."""
    repository, checkout = bench.images(size)
    plain_size = min(size, _MOST_IMAGES)
    plain = write_images(
        bench.folder / f"everything-{plain_size}", plain_size, "docker_buildkit_image"
    )
    most_runs = 1 if size > _MOST_IMAGES else None
    contenders = [
        Contender(
            _PACKAGE,
            lambda: checkout.pants("package", "::"),
            prepare=lambda: _change_all(repository),
            most_runs=most_runs,
        )
    ]
    if size <= _MOST_IMAGES:
        bake_file = write_bake_file(plain, bench.tools.registry, f"everything-{plain_size}")
        contenders.append(
            Contender(
                _BAKE,
                lambda: bench.buildx(plain.path, "bake", "--file", bake_file.name),
                prepare=lambda: _change_all(plain),
            )
        )
    contenders += [_builds(bench, plain, number, most_runs) for number in _AT_ONCE]
    with in_use(checkout):
        checkout.pants("list", "::")
        # The first build of all: what Python compiles and BuildKit prepares is not measured.
        checkout.pants("package", f"{repository.directory(0).relative_to(checkout.path)}:image")
        took = dict(interleave(contenders, bench.runs))
    for each in contenders[1:]:
        took[each.name] = took[each.name].times(size / plain_size)
    # A bake is the one process that builds all of them. Without it, the best of the others counts.
    others = {name: each.median for name, each in took.items() if name != _PACKAGE}
    against = _BAKE if _BAKE in others else min(others, key=lambda name: others[name])
    note = "" if size == plain_size else f", {plain_size} of them, x {size / plain_size:g}"
    for name, samples in took.items():
        ratio = samples.median / others[against]
        is_ours = name == _PACKAGE
        goal = Goal(ratio, _GOAL, f"x {against}") if is_ours else None
        yield Row(
            f"{size:,} images, all changed", name if is_ours else name + note, samples, goal=goal
        )


def _change_all(repository: ImagesRepository) -> None:
    for index in range(repository.size):
        repository.change(index, unique())


def _builds(
    bench: Workbench, plain: ImagesRepository, at_once: int, most_runs: int | None
) -> Contender:
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
        most_runs=most_runs,
    )
