"""What came of tests, and how it is told in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from pants_docker_buildkit.oci.json_values import decode


@dataclass(frozen=True)
class Outcome:
    """One test. It passed if there are no `problems`."""

    kind: str
    name: str
    problems: tuple[str, ...] = ()
    output: str = ""
    error: str = ""


@dataclass(frozen=True)
class TestRun:
    """The tests of an image for one platform. `problem` is why there are none."""

    __test__ = False

    platform: str
    outcomes: tuple[Outcome, ...] = ()
    seconds: float = 0.0
    problem: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether a test failed, or none could be run."""
        return bool(self.problem) or any(each.problems for each in self.outcomes)


@dataclass(frozen=True)
class _Printed:
    """What the process prints that ran the tests."""

    seconds: float
    outcomes: tuple[Outcome, ...]


def render_outcomes(outcomes: Iterable[Outcome], seconds: float) -> str:
    """What came of tests, for `parse_outcomes`."""
    return json.dumps(asdict(_Printed(seconds, tuple(outcomes))), sort_keys=True)


def parse_outcomes(text: bytes, platform: str) -> TestRun:
    """What `render_outcomes` wrote. Raises `ValueError` for anything else, as caches may hold."""
    try:
        # Programs print what is no text, which `parse_json` refuses.
        printed = decode(_Printed, json.loads(text))
    except RecursionError as e:
        raise ValueError("it nests too deeply") from e
    return TestRun(platform, printed.outcomes, printed.seconds)


def describe_runs(runs: Sequence[TestRun]) -> str:
    """A line for each test, with what is wrong below it."""
    return "".join(f"{line}\n" for run in runs for line in _lines(run))


def _lines(run: TestRun) -> Iterable[str]:
    yield run.platform
    if run.problem:
        yield f"  ✕ {_indented(run.problem)}"
    for each in run.outcomes:
        yield f"  {'✕' if each.problems else '✓'} {each.kind}: {each.name}"
        for problem in each.problems:
            yield f"      {_indented(problem, 6)}"
        if each.problems:
            for name, text in (("stdout", each.output), ("stderr", each.error)):
                if text:
                    yield f"      {name}:"
                    yield f"        {_indented(text.rstrip(), 8)}"


def _indented(text: str, width: int = 4) -> str:
    return text.replace("\n", "\n" + " " * width)
