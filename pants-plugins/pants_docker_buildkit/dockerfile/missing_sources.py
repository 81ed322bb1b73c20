"""Which file does a Dockerfile copy that the build context does not have?"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from pants_docker_buildkit.dockerfile.analysis import ContextPath, DockerfileAnalysis
from pants_docker_buildkit.dockerfile.context_entries import ContextEntry, SymlinkEntry
from pants_docker_buildkit.dockerfile.stage_contents import directory_of_wildcards

_MANY_PATHS = 5000


@dataclass(frozen=True)
class MissingSource:
    """A path that is not in the context, and one that is and may have been meant."""

    path: str
    line: int
    suggestion: str | None


def find_missing_source(
    analysis: DockerfileAnalysis, entries: Iterable[ContextEntry]
) -> MissingSource | None:
    """The first path that `COPY`, `ADD` or a bind mount names exactly and that is not there.

    Of one with wildcards, the directory in which BuildKit looks has to be there, if nothing else. A
    path that leads through a link of the context may be there, and counts as if it were.
    """
    present: set[str] = {"."}
    links: set[str] = set()
    for entry in entries:
        path = entry.path
        if isinstance(entry, SymlinkEntry):
            links.add(path)
        while path and path not in present:
            present.add(path)
            path = path.rpartition("/")[0]
    for source in analysis.context_paths:
        path = _named_exactly(source)
        if path and path not in present and not _leads_through_link(path, links):
            return MissingSource(path, source.line, _similar(path, present))
    return None


def _named_exactly(source: ContextPath) -> str:
    """What has to be there for a source to be found, or to be empty; nothing if that is unknown."""
    if source.path is None or source.keeps_parents:
        return ""
    if not source.has_wildcard:
        return source.path
    if source.keyword == "RUN":
        return ""
    return directory_of_wildcards(source.path)


def _leads_through_link(path: str, links: set[str]) -> bool:
    while path:
        if path in links:
            return True
        path = posixpath.dirname(path)
    return False


def _similar(path: str, present: set[str]) -> str | None:
    name = posixpath.basename(path)
    same_name = sorted(each for each in present if posixpath.basename(each) == name)
    if same_name:
        return same_name[0]
    if len(present) > _MANY_PATHS:
        return None
    # That a part of the way is there is no news.
    others = [each for each in present if not path.startswith(f"{each}/")]
    close = difflib.get_close_matches(path, others, n=1)
    return close[0] if close else None
