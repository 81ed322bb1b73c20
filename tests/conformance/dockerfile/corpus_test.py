"""Does our analysis agree with what BuildKit said of every Dockerfile of the corpus?"""

from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.stages import UnknownStageError
from tests.conformance.dockerfile import agreement
from tests.conformance.dockerfile.corpus import Case, load_cases

CASES = load_cases()
ANSWERS = {case.name: case.answer for case in CASES}
UNDERSTOOD = [case for case in CASES if "outline" in ANSWERS[case.name]]
REFUSED = [case for case in CASES if "error" in ANSWERS[case.name]]
FORWARDED = [case for case in CASES if "frontend" in ANSWERS[case.name]]

each_understood = pytest.mark.parametrize("case", UNDERSTOOD, ids=lambda case: case.name)


def test_the_corpus_is_not_lost() -> None:
    assert len(UNDERSTOOD) >= 80
    assert len(REFUSED) >= 40
    assert len(FORWARDED) >= 5


@pytest.mark.parametrize(
    "case", [c for c in CASES if "targets" in ANSWERS[c.name]], ids=lambda case: case.name
)
def test_the_stages_are_those_of_call_targets(case: Case) -> None:
    assert agreement.our_targets(case.parse()) == (ANSWERS[case.name]["targets"] or [])


@each_understood
def test_what_buildkit_understands_is_understood(case: Case) -> None:
    lines = tuple(limit.line for limit in case.analyze().limits)
    assert lines == case.expected_limits


@each_understood
def test_the_target_is_that_of_call_outline(case: Case) -> None:
    analysis = case.analyze()
    assert analysis.target is not None
    name = ANSWERS[case.name]["outline"].get("name")
    assert analysis.stages[analysis.target].name == name


@each_understood
def test_the_arguments_are_those_of_call_outline(case: Case) -> None:
    ours = agreement.our_arguments(case.analyze(as_outline=True), case.build_args)
    assert ours == agreement.their_arguments(ANSWERS[case.name])


@each_understood
def test_the_images_are_those_that_buildkit_asks_for(case: Case) -> None:
    analysis, answer = case.analyze(), ANSWERS[case.name]
    assert agreement.our_images(analysis) == agreement.their_images(answer)
    assert agreement.our_named_contexts(analysis) == answer["named_contexts"]


@pytest.mark.parametrize(
    "case",
    [c for c in UNDERSTOOD if "sources" not in c.build.get("not_compared", {})],
    ids=lambda case: case.name,
)
def test_the_sources_are_those_of_the_steps_of_a_build(case: Case) -> None:
    ours = agreement.our_sources(case.analyze())
    theirs = agreement.their_sources(ANSWERS[case.name])
    if case.expected_limits:
        assert ours <= theirs
    else:
        assert ours == theirs


def _limits(case: Case) -> tuple[Limit, ...]:
    try:
        return case.analyze().limits
    except UnknownStageError as e:
        return (Limit(None, str(e)),)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_buildkit_refuses_has_a_limit_on_the_same_line_or_none(case: Case) -> None:
    lines = {limit.line for limit in _limits(case)} - {None}
    theirs = ANSWERS[case.name]["error"].get("line")
    assert not lines or theirs is None or theirs in lines


@pytest.mark.parametrize("case", FORWARDED, ids=lambda case: case.name)
def test_the_frontend_is_the_one_that_buildkit_asks_for(case: Case) -> None:
    assert agreement.our_frontend(case.analyze()) == ANSWERS[case.name]["frontend"]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c not in FORWARDED], ids=lambda case: case.name
)
def test_a_file_that_the_builder_reads_itself_names_no_frontend(case: Case) -> None:
    assert case.parse().frontend is None
