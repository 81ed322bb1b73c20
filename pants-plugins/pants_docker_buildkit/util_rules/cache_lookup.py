"""Look up the result of a process in Pants' caches, without running it.

Pants has no such call. So the process names, in place of its append-only cache, what is a file: it
has the same key, and where no cache has its result, Pants gives up before anything is laid out for
it. What fails is in no cache, and nothing remembers the look-up.
"""

from __future__ import annotations

from pants.engine.process import FallibleProcessResult, Process

from pants_docker_buildkit.compat import execute_process, implicitly
from pants_docker_buildkit.session.directory import EXIT_NO_SESSION, LOOK_UP_CACHE_NAME

REMOTE_CACHE_PATIENCE_MILLIS = 60_000
"""For so long a remote cache is waited for: a hit must not start work that is then thrown away."""


async def look_up(process: Process) -> FallibleProcessResult | None:
    """The result of a process in whose `append_only_caches` is `LOOK_UP_CACHE_NAME`, if cached.

    For rules in a session that is open.
    """
    try:
        result = await execute_process(process, **implicitly())
    except Exception as e:
        if LOOK_UP_CACHE_NAME in str(e):
            return None
        raise
    return None if result.exit_code == EXIT_NO_SESSION else result
