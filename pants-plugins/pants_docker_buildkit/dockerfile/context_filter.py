"""Which entries of a tree does BuildKit see?

The walk is that of `tonistiigi/fsutil`, which sends a context to BuildKit. A directory is sent if
it is not excluded itself, empty or not, or if something in it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    implied_directories,
)
from pants_docker_buildkit.dockerfile.patterns import (
    IgnorePattern,
    InvalidPatternError,
    PatternMatcher,
)

# What keeps fsutil from telling by its text alone whether an exception may lie in a directory.
_PATTERN_CHARACTERS: Final = frozenset("*[]?^\\")


def select_context(
    entries: Iterable[ContextEntry], patterns: Sequence[IgnorePattern]
) -> tuple[ContextEntry, ...]:
    """The entries that BuildKit puts into the context, sorted by path.

    Of directories, the result lists those that are left with nothing in them.
    """
    if not patterns:
        return _select_all(entries)
    walk = _Walk(patterns)
    selected: dict[str, ContextEntry] = {}
    for entry in entries:
        if isinstance(entry, DirectoryEntry):
            walk.enter(entry.path)
        elif not walk.excludes(entry.path):
            selected[entry.path] = entry
    directories = walk.included_directories()
    occupied = implied_directories((*selected, *directories))
    selected.update({path: DirectoryEntry(path) for path in directories if path not in occupied})
    return tuple(selected[path] for path in sorted(selected))


def _select_all(entries: Iterable[ContextEntry]) -> tuple[ContextEntry, ...]:
    """What there is where nothing is excluded, without a walk."""
    selected = {entry.path: entry for entry in entries}
    directories = [path for path, entry in selected.items() if isinstance(entry, DirectoryEntry)]
    if directories:
        for path in implied_directories(selected).intersection(directories):
            del selected[path]
    return tuple(selected[path] for path in sorted(selected))


class _Directory(NamedTuple):
    """What fsutil knows when it enters a directory."""

    is_excluded: bool
    is_skipped: bool
    """Nothing below is looked at."""
    matched: tuple[bool, ...]
    """For each pattern, whether it matched this directory or one above, as far as it was tried."""
    last_match: int
    """The index of the last pattern that matched, or -1."""


class _Walk:
    """One walk over a tree, in any order: a directory is judged when something in it first is."""

    def __init__(self, patterns: Sequence[IgnorePattern]) -> None:
        self._patterns = tuple(patterns)
        self._matchers: list[PatternMatcher | None] = [None] * len(self._patterns)
        self._exceptions = _exception_prefixes(self._patterns)
        root = _Directory(
            is_excluded=False,
            is_skipped=False,
            matched=(False,) * len(self._patterns),
            last_match=-1,
        )
        self._directories = {"": root}
        try:
            self._all: PatternMatcher | None = PatternMatcher(self._patterns)
        except InvalidPatternError:
            # BuildKit refuses a pattern only when a path comes to it.
            self._all = None

    def enter(self, path: str) -> _Directory:
        """What is known in the directory `path`, which may lie in others not yet entered."""
        fresh: list[str] = []
        while path not in self._directories:
            fresh.append(path)
            path = path.rpartition("/")[0]
        known = self._directories[path]
        for each in reversed(fresh):
            known = self._enter_below(known, each)
            self._directories[each] = known
        return known

    def _enter_below(self, parent: _Directory, path: str) -> _Directory:
        if parent.is_skipped:
            return parent
        is_excluded, matched = parent.is_excluded, parent.matched
        if self._all is None or self._all.last_match(path) >= 0:
            is_excluded, matched = self._judge(path, matched)
        is_skipped = is_excluded and not self._may_hold_exceptions(path)
        last_match = max((index for index, hit in enumerate(matched) if hit), default=-1)
        return _Directory(is_excluded, is_skipped, matched, last_match)

    def included_directories(self) -> list[str]:
        """The directories entered that are in the context for their own sake."""
        return [path for path, known in self._directories.items() if path and not known.is_excluded]

    def excludes(self, path: str) -> bool:
        """Whether the file or link `path` stays out of the context."""
        parent = self.enter(path.rpartition("/")[0])
        if parent.is_skipped:
            return True
        if self._all is None:
            return self._judge(path, parent.matched)[0]
        # Nothing lies in this path, so moby's result is that of the last pattern which matches it
        # or a parent.
        last = max(parent.last_match, self._all.last_match(path))
        return last >= 0 and not self._patterns[last].is_exception

    def _judge(self, path: str, inherited: tuple[bool, ...]) -> tuple[bool, tuple[bool, ...]]:
        """Moby's `MatchesUsingParentResults`."""
        is_excluded, matched = False, list(inherited)
        for index, pattern in enumerate(self._patterns):
            if not matched[index] and pattern.is_exception == is_excluded:
                matched[index] = self._matcher(index).last_match(path) == 0
            if matched[index]:
                is_excluded = not pattern.is_exception
        return is_excluded, tuple(matched)

    def _matcher(self, index: int) -> PatternMatcher:
        matcher = self._matchers[index]
        if matcher is None:
            matcher = PatternMatcher([self._patterns[index]])
            self._matchers[index] = matcher
        return matcher

    def _may_hold_exceptions(self, path: str) -> bool:
        if self._exceptions is None:
            return True
        return any(prefix.startswith(f"{path}/") for prefix in self._exceptions)


def _exception_prefixes(patterns: Iterable[IgnorePattern]) -> list[str] | None:
    """Where exceptions may lie; `None` if one has wildcards, so that they may lie anywhere."""
    prefixes = []
    for pattern in patterns:
        if pattern.is_exception:
            text = pattern.text.removesuffix("/**").removesuffix("/*")
            if not _PATTERN_CHARACTERS.isdisjoint(text):
                return None
            prefixes.append(f"{text}/")
    return prefixes
