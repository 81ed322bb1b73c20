"""Is the image that `pants package` builds the one that `docker buildx build` builds?

Of the trees that are written down, of random ones with `--random`, or of those that are written
down and then changed at random with `--mutated`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conformance.images.builds import SETTINGS, Failure, Images, PantsBuilds, PlainBuilds
from tests.conformance.images.comparison import Window, compare_platforms
from tests.conformance.images.mutated_trees import mutated_tree
from tests.conformance.images.random_trees import random_tree
from tests.conformance.images.sources import provide_sources
from tests.conformance.images.tree import Tree
from tests.conformance.images.trees.all_trees import TREES, TREES_BY_SUBJECT
from tests.integration.workbench.machine import Machine
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import (
    pants_version,
    plugin_sources,
    registry_address,
)

_BATCH = 50

_STRICTER = "must only hold arguments that the Dockerfile declares"
"""Why the plugin refuses what plain buildx only warns of."""


@dataclass(frozen=True)
class Disagreement:
    """A tree of which something else came than was to be expected, and what."""

    tree: Tree
    found: tuple[str, ...]

    def __str__(self) -> str:
        return "\n  ".join((self.tree.name, *self.found))


class Differential:
    """Builds trees twice and compares."""

    def __init__(self, plain: PlainBuilds, pants: PantsBuilds) -> None:
        """Compare what these two build."""
        self._plain = plain
        self._pants = pants

    def run(self, trees: Sequence[Tree]) -> list[Disagreement]:
        """The trees whose two images differ in anything but what Pants is known to force."""
        plain = self._plain.build(trees)
        trees = [_as_plain_takes_it(tree, plain[tree.name]) for tree in trees]
        product = self._pants.build(
            [tree for tree in trees if tree.refused or not isinstance(plain[tree.name], Failure)]
        )
        window = Window.until_now()
        return [
            Disagreement(tree, found)
            for tree in trees
            for found in [tuple(judge(tree, plain[tree.name], product.get(tree.name), window))]
            if found
        ]


def is_stricter(tree: Tree, product: Images | Failure | None) -> bool:
    """Whether the plugin refuses what chance wrote for a reason of its own."""
    return isinstance(product, Failure) and tree.may_be_refused and _STRICTER in product.reason


def judge(
    tree: Tree, plain: Images | Failure, product: Images | Failure | None, window: Window
) -> Iterator[str]:
    """What is wrong with the two images of a tree: the second is asked for only with the first."""
    if tree.refused:
        if not (isinstance(plain, Failure) and isinstance(product, Failure)):
            yield f"must be refused: plain {_outcome(plain)}, product {_outcome(product)}"
        return
    if isinstance(plain, Failure):
        yield f"plain buildx cannot build it: {plain}"
        return
    if is_stricter(tree, product):
        return
    if product is None or isinstance(product, Failure):
        yield f"pants package cannot build it: {product}"
        return
    found = set(compare_platforms(plain, product, window))
    expected = {each.difference for each in tree.forced}
    yield from (str(each) for each in sorted(found - expected))
    yield from (f"not found, although Pants forces it: {each}" for each in sorted(expected - found))


def _as_plain_takes_it(tree: Tree, plain: Images | Failure) -> Tree:
    return replace(
        tree, refused=tree.refused or (tree.may_be_refused and isinstance(plain, Failure))
    )


def _outcome(images: Images | Failure | None) -> str:
    return "refuses it" if isinstance(images, Failure) else "builds it"


@contextmanager
def workbench(directory: Path) -> Iterator[Differential]:
    """Both ways to build, on the parts that tests are given, below this directory."""
    registry = Registry(registry_address())
    machine = Machine(directory / "machine")
    with provide_sources(directory, registry, f"differential/{uuid.uuid4().hex}") as words:
        files = {
            "pants.toml": SETTINGS.format(version=pants_version(), plugin=plugin_sources()),
            ".gitignore": "*.ignored\n",
        }
        checkout = machine.checkout("checkout", files)
        try:
            yield Differential(
                PlainBuilds(directory / "plain", words), PantsBuilds(checkout, words, no_cache=True)
            )
        finally:
            machine.close()


def with_bases(trees: Sequence[Tree]) -> list[Tree]:
    """These trees and those that they are built on, each once."""
    bases = {name for tree in trees for name in tree.on.values()}
    names = bases | {tree.name for tree in trees}
    return [tree for tree in TREES if tree.name in names]


def batches(arguments: argparse.Namespace) -> Iterator[list[Tree]]:
    """What the command line asks for, in parts that are built in one run of Pants each."""
    if not arguments.random and not arguments.mutated:
        for trees in TREES_BY_SUBJECT.values():
            chosen = with_bases([tree for tree in trees if arguments.only in tree.name])
            if chosen:
                yield chosen
        return
    make = mutated_tree if arguments.mutated else random_tree
    last = arguments.seed + (arguments.mutated or arguments.random)
    for first in range(arguments.seed, last, _BATCH):
        yield [make(seed) for seed in range(first, min(first + _BATCH, last))]


def main() -> int:
    """Compare the trees that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="Trees whose name has this text.")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N random trees.")
    parser.add_argument("--mutated", type=int, default=0, metavar="N", help="N that are changed.")
    parser.add_argument("--seed", type=int, default=1, help="The seed of the first random tree.")
    arguments = parser.parse_args()
    compared = differ = 0
    with tempfile.TemporaryDirectory() as directory, workbench(Path(directory)) as differential:
        for trees in batches(arguments):
            found = differential.run(trees)
            compared, differ = compared + len(trees), differ + len(found)
            for each in found:
                print(each, flush=True)
    print(f"{compared} trees: {compared - differ} agree, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
