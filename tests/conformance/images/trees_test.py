"""Are the trees what they have to be, before any of them is built?"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.images.coverage import FEATURES, coverage
from tests.conformance.images.tree import Forced
from tests.conformance.images.trees.all_trees import SLICE, TREES, TREES_BY_SUBJECT

pytestmark = pytest.mark.network_free

LEAST = 150
LEAST_OF_EACH = 3


def test_there_are_many_trees_each_with_a_name_of_its_own() -> None:
    assert len(TREES) >= LEAST
    assert [name for name, count in Counter(each.name for each in TREES).items() if count > 1] == []


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_is_used_by_several_trees(feature: str) -> None:
    assert coverage(TREES)[feature] >= LEAST_OF_EACH


@pytest.mark.parametrize("row", Forced, ids=lambda row: row.name)
def test_each_thing_that_pants_forces_is_asserted(row: Forced) -> None:
    assert [each for tree in TREES for each in tree.forced if each.row is row]


def test_the_slice_has_trees_of_each_subject() -> None:
    assert {tree.name for tree in TREES} >= SLICE
    for subject, trees in TREES_BY_SUBJECT.items():
        assert SLICE & {tree.name for tree in trees}, subject


def test_trees_stand_on_trees() -> None:
    names = {tree.name for tree in TREES if not tree.on}
    assert {base for tree in TREES for base in tree.on.values()} <= names
