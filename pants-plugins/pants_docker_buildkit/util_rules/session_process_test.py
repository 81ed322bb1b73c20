from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from pants.engine.process import FallibleProcessResult
from pants.engine.rules import QueryRule, rule

from pants_docker_buildkit.session.directory import EXIT_NO_SESSION, remove_directory
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.solver.main import TEST_COMMAND
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.session import running_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    run_in_session,
    why_failed,
)


@dataclass(frozen=True)
class FailingTest:
    """Asks to test what is not there."""


@dataclass(frozen=True)
class Ended:
    """How that ended."""

    exit_code: int


@rule
async def fail(request: FailingTest) -> Ended:
    running = await running_session()
    running.answers.add_build("key", BuildSettings("app:test"))
    process = cached_process(TEST_COMMAND, "key", description="Test nothing")
    return Ended((await run_in_session(process)).exit_code)


def test_what_fails_in_one_session_after_the_other_is_run_in_each() -> None:
    # Pants runs again what failed in the sessions before, first of all.
    rules = (fail, QueryRule(Ended, (FailingTest,)))
    runner = ImageRunner(create_rule_runner(rules=rules))
    ended = []
    for _ in range(5):
        runner.set_options()
        ended.append(runner.runner.request(Ended, (FailingTest(),)).exit_code)
        directory = runner.keeper().running.directory
        runner.close()
        remove_directory(directory)
    assert ended == [1, 1, 1, 1, 1]


def failure(exit_code: int, printed: bytes = b"") -> str:
    """What is said of a process that ended so."""
    result = SimpleNamespace(exit_code=exit_code, stderr=printed)
    return why_failed(cast(FallibleProcessResult, result))


def test_a_process_that_failed_never_leaves_that_unexplained() -> None:
    # As in a Docker environment of Pants, where the tool of an `adhoc_tool` is asked for.
    end = failure(EXIT_NO_SESSION)
    assert "one cannot be the tool of a target with another `environment`" in end
    assert failure(-9, b"half\n").startswith("half\nThe build process was killed (SIGKILL)")
    assert failure(1, b"no room\n") == "no room"
    assert failure(3) == "It ended with exit code 3, and said nothing."
