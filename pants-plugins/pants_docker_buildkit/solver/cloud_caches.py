"""Does buildx find in the environment what a cache needs that it would else drop without a word?

https://docs.docker.com/build/cache/backends/gha/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pants_docker_buildkit.buildx.attributes import InvalidAttributesError, parse_cache_attributes
from pants_docker_buildkit.solver.errors import CacheOutOfReachError

_GITHUB = "gha"
_TOKEN = ("token", "ACTIONS_RUNTIME_TOKEN")
_ADDRESSES = (("url", "ACTIONS_CACHE_URL"), ("url_v2", "ACTIONS_RESULTS_URL"))


def check_cloud_caches(caches: Iterable[str], environment: Mapping[str, str]) -> None:
    """Raises `CacheOutOfReachError` for a cache of GitHub outside of GitHub Actions.

    Those of Amazon take credentials of the builder, too, which says itself that it has none.
    """
    for text in caches:
        try:
            attributes = parse_cache_attributes(text)
        except InvalidAttributesError:
            # buildx says what is wrong with it.
            continue
        if attributes["type"] != _GITHUB:
            continue
        pairs = (_TOKEN, *_ADDRESSES)
        token, *addresses = (attributes.get(key) or environment.get(name) for key, name in pairs)
        if not token:
            raise CacheOutOfReachError(_TOKEN[1])
        if not any(addresses):
            raise CacheOutOfReachError(_ADDRESSES[1][1])
