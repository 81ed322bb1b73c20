"""Ask something of the world once, for all who share a cache.

What is asked must be in the command's arguments: they are the key. How to ask (credentials, the
builder, proxies) the process learns from its session, as builds do.
"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.util_rules.caught_errors import MayHaveFailed
from pants_docker_buildkit.util_rules.session import open_session
from pants_docker_buildkit.util_rules.session_process import (
    cached_process,
    look_up,
    run_in_session,
    why_failed,
)


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
class CachedAnswer(MayHaveFailed):
    """What was printed, or in words for the user why nothing was. Only the former is cached."""

    content: bytes
    problem: str = ""


@rule(desc="Ask once")
async def ask_once(request: CachedAnswerRequest) -> CachedAnswer:
    await open_session(**implicitly())
    process = cached_process(request.command, *request.arguments, description=request.description)
    if request.only_looks_up:
        found = await look_up(process)
        return (
            CachedAnswer(b"", "Nobody was asked.") if found is None else CachedAnswer(found.stdout)
        )
    result = await run_in_session(process)
    if result.exit_code != 0:
        return CachedAnswer(b"", why_failed(result))
    return CachedAnswer(result.stdout)
