"""What does a new tag on images that are all pushed cost, beside `docker push` of each?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from bench.checkout import Checkout, FailedRunError, in_use
from bench.git import commit, git_worktree
from bench.measure import Contender, Samples, interleave
from bench.report import Goal, Row
from bench.workbench import TAG_OF_COMMIT, Workbench, unique

SIZES = (1000,)

_GOAL_SIZE = 1000
# At least 20 times as fast.
_GOAL = 0.05

# Pushing each of 1,000 images takes minutes.
_MOST_PUSHED = 100


def measure(bench: Workbench, size: int) -> Iterable[Row]:
    """Each run gives all images one more tag: `publish` that of a commit, the other any."""
    _, checkout = bench.images(size)
    checkout = replace(checkout, settings=(*checkout.settings, TAG_OF_COMMIT))
    with in_use(checkout), git_worktree(checkout):
        commit(checkout)
        # Their records, which `publish` does not write, say where they are.
        checkout.pants("package", "::")
        checkout.pants("publish", "::")
        with _in_engine(bench, _references(checkout)[:_MOST_PUSHED]) as images:
            contenders = [
                Contender("package ::", lambda: checkout.pants("package", "::")),
                Contender(
                    "publish ::",
                    lambda: _publish(checkout, size),
                    prepare=lambda: commit(checkout),
                ),
                Contender("docker push", images.push, prepare=images.tag),
            ]
            images.tag()
            images.push()
            packaged, published, pushed = interleave(contenders, bench.runs).values()
    scenario = f"{size:,} images, a new tag"
    pushed, note = _scaled(pushed, size)
    limit = _GOAL if size == _GOAL_SIZE else None
    goal = Goal(published.median / pushed.median, limit, "x docker push")
    yield Row(scenario, "package ::", packaged)
    yield Row(scenario, "publish ::", published, goal=goal)
    yield Row(scenario, f"docker push{note}", pushed)


class _EngineImages:
    """Images that the engine has, to be pushed to where they came from."""

    def __init__(self, bench: Workbench, references: Sequence[str]) -> None:
        self._bench = bench
        self._references = references
        self._last: list[str] = []
        self._all: list[str] = []

    def tag(self) -> None:
        """Give each the same new tag."""
        tag = unique()
        self._last = [f"{each.partition('@')[0]}:{tag}" for each in self._references]
        for reference, name in zip(self._references, self._last):
            self._bench.docker("tag", reference, name)
            self._all.append(name)

    def push(self) -> None:
        """Push each by the tag that it got last."""
        for name in self._last:
            self._bench.docker("push", "--quiet", name)

    def remove(self) -> None:
        """Remove all from the engine: an image goes with its last tag."""
        if self._all:
            self._bench.docker("image", "rm", *self._all)


@contextmanager
def _in_engine(bench: Workbench, references: Sequence[str]) -> Iterator[_EngineImages]:
    """Pull images into the engine, and remove them in the end."""
    for reference in references:
        bench.docker("pull", "--quiet", reference)
    images = _EngineImages(bench, references)
    try:
        yield images
    finally:
        images.remove()


def _references(checkout: Checkout) -> Sequence[str]:
    """Where the images are, pinned, as their records say."""
    records = sorted((checkout.path / "dist").rglob("*.image.json"))
    return [json.loads(record.read_text())["references"][0] for record in records]


def _publish(checkout: Checkout, size: int) -> None:
    output = checkout.pants("publish", "::")
    if output.count("(new tag)") != size:
        raise FailedRunError(f"publish of one new tag for each of {size} images", output)


def _scaled(samples: Samples, size: int) -> tuple[Samples, str]:
    """What all images would take, where only some were pushed, and how to say so."""
    if size <= _MOST_PUSHED:
        return samples, ", one by one"
    factor = size / _MOST_PUSHED
    return samples.times(factor), f", {_MOST_PUSHED} one by one, x {factor:g}"
