"""Can each defence still be switched off, where the code is today?"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pants_docker_buildkit
from tests.mutations.defences import MUTATIONS, Mutation

pytestmark = pytest.mark.network_free

PLUGIN = Path(pants_docker_buildkit.__file__).parent
AREAS = {
    *("closed world", "pins", "policy", "secret hash", "ignore file", "modes", "build platform"),
    *("context names", "context times", "contexts", "key", "Git", "triggers", "URLs"),
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.defence)
def test_a_mutation_is_one_edit_of_valid_code(mutation: Mutation) -> None:
    text = (PLUGIN / mutation.file).read_text()
    assert text.count(mutation.old) == 1
    ast.parse(text.replace(mutation.old, mutation.new))


def test_each_area_has_a_defence() -> None:
    assert {each.defence.partition(":")[0] for each in MUTATIONS} == AREAS
