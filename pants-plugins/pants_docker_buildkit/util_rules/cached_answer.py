"""Ask something of the world once, for all who share a cache.

What is asked must be in the command's arguments: they are the key. How to ask (credentials, the
builder, proxies) the process learns from its session, as builds do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import Rule, collect_rules
from pants.util.logging import LogLevel

from pants_docker_buildkit.compat import execute_process, implicitly, rule
from pants_docker_buildkit.session.directory import (
    CACHE_LINK,
    CACHE_NAME,
    EXIT_NO_SESSION,
    LOOK_UP_CACHE_NAME,
    OTHER_CACHE_NAME,
    PROCESS_PATH,
    RUN_SCRIPT,
)
from pants_docker_buildkit.util_rules.cache_lookup import REMOTE_CACHE_PATIENCE_MILLIS, look_up
from pants_docker_buildkit.util_rules.session import open_session


@dataclass(frozen=True)
class CachedAnswerRequest:
    """Asks what a command of `solver.main` prints, which is then in Pants' caches.

    With `only_looks_up`, only they are asked.
    """

    command: str
    arguments: tuple[str, ...]
    description: str
    only_looks_up: bool = False


@dataclass(frozen=True)
class CachedAnswer:
    """What was printed, or in words for the user why nothing was. Only the former is cached."""

    content: bytes
    problem: str = ""


def _process(request: CachedAnswerRequest, cache_name: str) -> Process:
    return Process(
        argv=("/bin/sh", "-c", RUN_SCRIPT, request.command, request.command, *request.arguments),
        description=request.description,
        env={"PATH": PROCESS_PATH},
        append_only_caches={cache_name: CACHE_LINK},
        cache_scope=ProcessCacheScope.SUCCESSFUL,
        remote_cache_speculation_delay_millis=REMOTE_CACHE_PATIENCE_MILLIS,
        level=LogLevel.DEBUG,
    )


@rule(desc="Ask once")
async def ask_once(request: CachedAnswerRequest) -> CachedAnswer:
    await open_session(**implicitly())
    if request.only_looks_up:
        found = await look_up(_process(request, LOOK_UP_CACHE_NAME))
        return (
            CachedAnswer(b"", "Nobody was asked.") if found is None else CachedAnswer(found.stdout)
        )
    result = await execute_process(_process(request, CACHE_NAME), **implicitly())
    if result.exit_code == EXIT_NO_SESSION:
        # Pants ran it before this session was opened, to see whether it still fails. By another
        # name of its cache it is run again, with the same key.
        result = await execute_process(_process(request, OTHER_CACHE_NAME), **implicitly())
    if result.exit_code != 0:
        return CachedAnswer(b"", result.stderr.decode("utf-8", "replace").strip() or "It failed.")
    return CachedAnswer(result.stdout)


def rules() -> Iterable[Rule]:
    return collect_rules()
