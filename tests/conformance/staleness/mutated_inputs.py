"""Trees that are written down, changed at random, and then once more: what was built before?"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.conformance.images.mutated_fields import with_other_fields, with_other_files
from tests.conformance.images.mutated_trees import mutated_tree, with_another_line
from tests.conformance.images.tree import Files, Special, Tree
from tests.conformance.staleness.inputs import Input

_Change = Callable[[random.Random, Tree], Tree]


def _with_a_changed_file(rng: random.Random, tree: Tree) -> Tree:
    texts = {name: content for name, content in tree.files.items() if isinstance(content, str)}
    if not texts:
        return tree
    name, text = rng.choice(list(texts.items()))
    left = {path: content for path, content in tree.files.items() if path != name}
    changed: Files = rng.choice(
        (
            {},
            {name: Special(text, mode=0o755)},
            {f"{name}.new": text},
            {name: f"{text}# changed\n"},
        )
    )
    return replace(tree, files={**left, **changed})


def _with_a_changed_context(rng: random.Random, tree: Tree) -> Tree:
    if not tree.contexts:
        return tree
    name = rng.choice(list(tree.contexts))
    return replace(tree, contexts={**tree.contexts, name: {"a": "changed", "t": "tool"}})


_CHANGES: tuple[_Change, ...] = (
    *(_with_a_changed_file, _with_a_changed_file, _with_a_changed_file, with_other_files),
    *(with_other_fields, with_another_line, with_another_line, _with_a_changed_context),
)


def mutated_input(seed: int) -> Input:
    """The input of a seed, which may be one that cannot be built."""
    rng = random.Random(seed)
    before = mutated_tree(seed)
    return Input(before, rng.choice(_CHANGES)(rng, before), git_sees=False, may_build_more=True)
