"""The processes that find their session by themselves, so that no key knows anything of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly
from pants_docker_buildkit.session.directory import (
    CACHE_LINK,
    CACHE_NAME,
    EXIT_CONTEXT_NEEDED,
    EXIT_NO_SESSION,
    LOOK_UP_CACHE_NAME,
    OTHER_CACHE_NAME,
    PROCESS_PATH,
    RUN_SCRIPT,
)
from pants_docker_buildkit.solver.failure import describe_killing
from pants_docker_buildkit.util_rules.session import keep_session

_REMOTE_CACHE_PATIENCE_MILLIS = 60_000
"""For so long a remote cache is waited for: a hit must not start work that is then thrown away."""


def session_process(script: str, name: str, *arguments: str, **more: Any) -> Process:
    """A process of this session alone, that runs one of the scripts of `session/directory.py`.

    `name` is what the script is called in messages of the shell, `more` as in `Process`.
    """
    return Process(
        argv=("/bin/sh", "-c", script, name, *arguments),
        env={"PATH": PROCESS_PATH},
        append_only_caches={CACHE_NAME: CACHE_LINK},
        **{"cache_scope": ProcessCacheScope.PER_SESSION, "level": LogLevel.DEBUG, **more},
    )


def cached_process(command: str, *arguments: str, attempt: int = 0, **more: Any) -> Process:
    """The process of a command of `solver.main`, whose result is in Pants' caches if it succeeds.

    Another `attempt` makes another node of Pants' graph, and so another run, with the same key.
    """
    return session_process(
        RUN_SCRIPT,
        command,
        *(command, *arguments),
        cache_scope=ProcessCacheScope.SUCCESSFUL,
        remote_cache_speculation_delay_millis=_patience(attempt),
        **more,
    )


async def look_up(process: Process) -> FallibleProcessResult | None:
    """The result of a process in Pants' caches, without running it. For rules in an open session.

    Pants has no such call. So the process names, in place of its append-only cache, what is a file:
    it has the same key, and where no cache has its result, Pants gives up before anything is laid
    out for it. What fails is in no cache, and nothing remembers the look-up.
    """
    try:
        result = await execute_process(_by_name(process, LOOK_UP_CACHE_NAME), **implicitly())
    except Exception as e:
        if LOOK_UP_CACHE_NAME in str(e):
            return None
        raise
    return None if result.exit_code == EXIT_NO_SESSION else result


async def run_in_session(process: Process) -> FallibleProcessResult:
    """The result of a process, from a cache or by running it. For rules in an open session."""
    result = await execute_process(process, **implicitly())
    if result.exit_code == EXIT_NO_SESSION:
        # Pants ran it before this session knew it, as it does with what failed, or is forced, to
        # see whether that is as before. By another name of its cache it is run again, with the same
        # key, and by a number that no other session had, or Pants would have run that one, too.
        keeper = await keep_session(**implicitly())
        process = replace(
            _by_name(process, OTHER_CACHE_NAME),
            remote_cache_speculation_delay_millis=_patience(keeper.attempt(process)),
        )
        result = await execute_process(process, **implicitly())
    return result


def said(result: FallibleProcessResult) -> str:
    """What a process that failed says of it to the user; empty where it could not."""
    return result.stderr.decode("utf-8", "replace").strip()


def why_failed(result: FallibleProcessResult) -> str:
    """What a process that failed says of it, and why it ended if it could not say that itself."""
    text = "\n".join(filter(None, (said(result), _explain_end(result.exit_code))))
    return text or f"It ended with exit code {result.exit_code}, and said nothing."


def _explain_end(exit_code: int) -> str:
    if exit_code == EXIT_CONTEXT_NEEDED:
        return (
            f"Its context changed again and again while it was made, in '{CACHE_NAME}' below"
            " `named_caches_dir`. Run this again, and check which other program writes there."
        )
    if exit_code == EXIT_NO_SESSION:
        return (
            f"It found no session in '{CACHE_NAME}' below `named_caches_dir`. Images are built"
            " where Pants runs: one cannot be the tool of a target with another `environment`. If"
            " there is none, run this again, and check whether something cleans that directory."
        )
    return describe_killing("The build process", exit_code)


def _patience(attempt: int) -> int:
    """What is in no key, and other in each attempt."""
    return _REMOTE_CACHE_PATIENCE_MILLIS + attempt


def _by_name(process: Process, cache_name: str) -> Process:
    return replace(process, append_only_caches=FrozenDict({cache_name: CACHE_LINK}))
