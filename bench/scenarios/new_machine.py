"""What does `package ::` cost on a new machine without Docker, with a warm remote cache?"""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from bench.checkout import Checkout, in_use
from bench.measure import Contender, Samples, interleave, say
from bench.remote_cache import remote_cache
from bench.report import Goal, Row
from bench.repositories import SOME_IMAGES, write_images
from bench.workbench import Workbench

SIZES = (1000,)

_GOAL = 1.6
_GOAL_WITHOUT_DAEMON = 1.4


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Each time another machine: new home, caches and pantsd, and no engine."""
    name = f"remote-{size}"
    folder = bench.folder / name
    with remote_cache(bench.tools.remote_cache_server, folder / "server") as address:
        _fill(bench, name, size, address)
        path = folder / "new-checkout"
        repository = write_images(path, size, "docker_buildkit_image")
        new = bench.plugin_checkout(
            name, path=path, machine="new-machine", remote_cache=address, has_engine=False
        )
        some, directories = repository.first(SOME_IMAGES)

        def forget() -> None:
            new.forget()
            new.configure()
            (new.machine / "home").mkdir()

        def contender(scenario: str, *arguments: str) -> Contender:
            return Contender(scenario, lambda: new.pants(*arguments), forget)

        forget()
        _check(new)
        alone = "--no-pantsd"
        took = interleave(
            [
                contender("list", "list", "::"),
                contender("package", "package", "::"),
                contender("list some", alone, "list", *directories),
                contender("package some", alone, "package", *directories),
            ],
            bench.runs,
        )
        new.forget()
    yield from _rows(f"{size:,} images, warm remote cache", took["list"], took["package"], _GOAL)
    scenario = f"{some:,} images, warm remote cache, no pantsd"
    yield from _rows(scenario, took["list some"], took["package some"], _GOAL_WITHOUT_DAEMON)


def _rows(scenario: str, listed: Samples, packaged: Samples, limit: float) -> Iterable[Row]:
    yield Row(scenario, "list ::, new machine", listed)
    goal = Goal(packaged.median / listed.median, limit, "x list")
    yield Row(scenario, "package ::, new machine", packaged, goal=goal)


def _fill(bench: Workbench, name: str, size: int, address: str) -> None:
    """Put all records into the remote cache, from a machine with an engine.

    Only a process that runs writes into the remote cache, so that machine is a new one too.
    """
    say("  filling the remote cache")
    filler = bench.plugin_checkout(name, remote_cache=address, writes_remote_cache=True)
    filler.forget()
    with in_use(filler) as checkout:
        write_images(checkout.path, size, "docker_buildkit_image")
        checkout.pants("--session-end-tasks-timeout=120", "package", "::")


def _check(new: Checkout) -> None:
    """A machine without an engine that packages everything got it all from the remote cache."""
    with in_use(new):
        new.pants("package", "::")
    shutil.rmtree(new.machine, ignore_errors=True)
