"""Does the real BuildKit still say of the corpus what we wrote down?

`BUILDKIT_TESTS_DOCKER` names the docker to ask. Without one, these tests fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from tests.conformance.dockerfile.buildkit import ask_buildkit, call_buildkit
from tests.conformance.dockerfile.corpus import Case, load_cases

CASES = load_cases()


@pytest.fixture(scope="module")
def calls() -> Mapping[str, dict[str, Any]]:
    """What BuildKit says when it is called about many cases at once, which saves time."""
    calls: dict[str, dict[str, Any]] = {case.name: {} for case in CASES}
    for method in ("targets", "outline"):
        likely = [case for case in CASES if method in case.answer]
        for name, said in call_buildkit(method, likely).items():
            calls[name][method] = said
    return calls


@pytest.fixture(scope="module")
def answers(
    calls: Mapping[str, dict[str, Any]],
) -> Iterator[Mapping[str, Future[dict[str, Any]]]]:
    """What BuildKit says of all cases; it is asked about several at a time, to save time."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield {
            case.name: pool.submit(
                ask_buildkit,
                case,
                likely_images=case.answer.get("images", ()),
                calls=calls[case.name],
            )
            for case in CASES
        }


def test_buildkit_is_called_about_most_cases_at_once(calls: Mapping[str, dict[str, Any]]) -> None:
    assert sum(map(len, calls.values())) > len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_buildkit_says_what_the_corpus_has(
    case: Case, answers: Mapping[str, Future[dict[str, Any]]]
) -> None:
    answer = answers[case.name].result()
    if answer != case.answer:
        # BuildKit runs the same step of two builds once, under the name it has in one of them.
        wait(answers.values())
        answer = ask_buildkit(case)
    assert answer == case.answer
