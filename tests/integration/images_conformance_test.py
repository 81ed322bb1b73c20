"""Is the image that `pants package` builds the one that plain buildx builds of the same tree?

Of some trees; `tests/conformance/images/differential.py` compares all, and any number of random
ones.
"""

from __future__ import annotations

from pathlib import Path

from tests.conformance.images.differential import with_bases, workbench
from tests.conformance.images.random_trees import random_tree
from tests.conformance.images.trees.all_trees import SLICE, TREES

SEEDS = range(20261126, 20261129)


def test_images_are_those_of_plain_buildx(tmp_path: Path) -> None:
    trees = with_bases([tree for tree in TREES if tree.name in SLICE])
    with workbench(tmp_path) as differential:
        found = differential.run([*trees, *map(random_tree, SEEDS)])
    assert not found, "\n".join(map(str, found))
