"""Which paths of its context can a build read?

Those that BuildKit's frontend asks its client for, and no others: the sources of `COPY`, `ADD` and
bind mounts in the stages that are reached (`ctxPaths` in `dockerfile2llb/convert.go`). The client
follows links from there and sends what lies below (`FollowLinks` in `tonistiigi/fsutil`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pants_docker_buildkit.dockerfile.analysis import DockerfileAnalysis, RemoteKind
from pants_docker_buildkit.dockerfile.context_entries import ContextEntry, SymlinkEntry
from pants_docker_buildkit.dockerfile.source_date_epoch import MAIN_CONTEXT
from pants_docker_buildkit.dockerfile.stage_contents import normalize_context_path

_WEB_SCHEMES: Final = ("http://", "https://")
_WILDCARDS: Final = frozenset("*?[")
_ANY_DEPTH: Final = "(?s:.+)"

# What Go writes into JSON as it is. For others it is not worth knowing how.
_PLAIN: Final = re.compile('[^\x00-\x1f\x7f"\\\\<>&\u2028\u2029\ufffd\ud800-\udfff]+')


def reached_paths(analyses: Iterable[DockerfileAnalysis]) -> tuple[str, ...] | None:
    """The paths that BuildKit asks for on any platform, sorted, with wildcards as they are written.

    `None` where it asks for the whole context, or where something is not understood.
    """
    found: set[str] = set()
    for analysis in analyses:
        if analysis.target is None or analysis.limits:
            return None
        if analysis.epoch_context == MAIN_CONTEXT:
            return None
        for stage in analysis.reachable_stages:
            if stage.asks_for_all:
                return None
            found.update(each.path or "." for each in stage.context_paths)
            # BuildKit takes the address of a repository for a path, too.
            found.update(
                normalize_context_path(each.url)
                for each in stage.remote_sources
                if each.kind is RemoteKind.GIT and not each.url.startswith(_WEB_SCHEMES)
            )
    is_known = all(path != "." and _PLAIN.fullmatch(path) for path in found)
    return tuple(sorted(found)) if is_known else None


def select_reached(
    entries: Iterable[ContextEntry], paths: Iterable[str]
) -> tuple[ContextEntry, ...] | None:
    """The entries at and below `paths`, perhaps with more than a wildcard matches.

    `None` where a link lies on the way to one: then anything may be reached through it.
    """
    exact, patterns = set[str](), []
    for path in paths:
        parts = tuple(_parts(path))
        if _WILDCARDS.isdisjoint(path):
            exact.add(path)
        else:
            patterns.append(parts)
    below = re.compile("|".join(f"{'/'.join(each)}(?:/|\\Z)" for each in patterns) or r"(?!)")
    above = re.compile("|".join(_prefix_pattern(each) for each in patterns) or r"(?!)")
    directories = tuple(f"{path}/" for path in exact)
    ways = {prefix for path in exact for prefix in _prefixes(path)}
    selected = []
    for entry in entries:
        path = entry.path
        if isinstance(entry, SymlinkEntry) and (path in ways or above.fullmatch(path)):
            return None
        if path in exact or path.startswith(directories) or below.match(path):
            selected.append(entry)
    return tuple(selected)


def _prefixes(path: str) -> Iterator[str]:
    """The path, and the directories that it lies in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _parts(path: str) -> Iterator[str]:
    """An expression for each part of a path. What may have any depth ends it.

    A class may have any: in Go's `filepath.Match`, `[^a]` and `[/]` match a `/` as well.
    """
    for part in path.split("/"):
        if "**" in part or "[" in part:
            yield _ANY_DEPTH
            return
        texts = re.split(r"([*?])", part)
        yield "".join({"*": "[^/]*", "?": "[^/]+"}.get(each, re.escape(each)) for each in texts)


def _prefix_pattern(parts: tuple[str, ...]) -> str:
    """What matches the paths that lie on the way to one of these parts."""
    return "|".join("/".join(parts[:count]) for count in range(1, len(parts) + 1))
