"""Does a test fail for some of the defences that are switched off? `run.py` looks at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import pants_docker_buildkit
from tests.mutations.defences import MUTATIONS, SLICE, Mutation
from tests.mutations.run import copy_repository, run_tests, survives

pytestmark = pytest.mark.network_free

CHOSEN = [each for each in MUTATIONS if each.defence in SLICE]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("repository")
    copy_repository(Path(pants_docker_buildkit.__file__).parents[2], copy)
    return copy


def test_all_of_them_pass_with_all_defences(repository: Path) -> None:
    assert len(CHOSEN) == len(SLICE)
    tests = sorted({path for each in CHOSEN for path in each.test_paths})
    assert run_tests(repository, tests, with_pytest=True) == 0


@pytest.mark.parametrize("mutation", CHOSEN, ids=lambda each: each.defence)
def test_a_defence_that_is_off_is_noticed(repository: Path, mutation: Mutation) -> None:
    assert not survives(mutation, repository, with_pytest=True)
