"""Does buildx find in the environment what a cache needs that it drops without a word otherwise?

https://docs.docker.com/build/cache/backends/gha/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pants_docker_buildkit.buildx.attributes import InvalidAttributesError, parse_cache_attributes
from pants_docker_buildkit.solver.progress import warn_once

_GITHUB = "gha"
_TOKEN = ("token", "ACTIONS_RUNTIME_TOKEN")
_ADDRESSES = (("url", "ACTIONS_CACHE_URL"), ("url_v2", "ACTIONS_RESULTS_URL"))


def warn_of_dropped_caches(
    session: Path, caches: Iterable[str], environment: Mapping[str, str]
) -> None:
    """Warn the user of a session, once, of caches of GitHub outside of GitHub Actions.

    The image is the same without them. Those of Amazon take credentials of the builder, too, which
    says itself that it has none.
    """
    for variable in filter(None, (_lacking(each, environment) for each in caches)):
        warn_once(
            session,
            "cache of GitHub",
            "Caches of `type=gha` are left out. They need the token and the address of a job in"
            f" GitHub Actions, and {variable} is not set. A step gets both from an action such as"
            " crazy-max/ghaction-github-runtime.",
        )


def _lacking(cache: str, environment: Mapping[str, str]) -> str | None:
    """The variable without which buildx drops a cache; `None` if it does not."""
    try:
        attributes = parse_cache_attributes(cache)
    except InvalidAttributesError:
        # buildx says what is wrong with it.
        return None
    if attributes["type"] != _GITHUB:
        return None
    pairs = (_TOKEN, *_ADDRESSES)
    token, *addresses = (attributes.get(key) or environment.get(name) for key, name in pairs)
    if not token:
        return _TOKEN[1]
    return None if any(addresses) else _ADDRESSES[1][1]
