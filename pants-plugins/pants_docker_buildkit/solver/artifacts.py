"""Keep those files of a stage that its target names.

BuildKit exports the whole root file system. What is kept has the same paths. Links are followed as
a container would: an absolute one begins at the root of the stage, and none leads out of it.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pants_docker_buildkit.solver.artifact_patterns import (
    ANY_DEPTH,
    Parts,
    matches_part,
    path_parts,
)
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.errors import BuildFailedError

_MOST_LINKS = 40
"""As many as Linux follows for one path."""


def keep_artifacts(definition: BuildDefinition, export: Path, destination: Path) -> None:
    """Move what the definition names from the export to `destination`, and remove the rest.

    What is not there is not kept: whether that is an error, nobody has to build again for. Raises
    `BuildFailedError` for what Pants cannot keep.
    """
    tree = _Tree(export)
    chosen = _Chosen(tree, destination)
    for path in definition.output_directories:
        for parts in tree.expand(path_parts(path)):
            chosen.add_directory(parts)
    for path in definition.output_files:
        for parts in tree.expand(path_parts(path)):
            chosen.add_file(parts)
    destination.mkdir()
    chosen.write()
    shutil.rmtree(export)


def _make_accessible(export: Path) -> None:
    """Let us list and remove all directories, whatever the modes of the stage are."""
    os.chmod(export, 0o755)
    for directory, names, _ in os.walk(export):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755)


class _Tree:
    """A root file system in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        _make_accessible(root)

    def path(self, parts: Parts) -> Path:
        """Where something really lies. None of the parts but the last may be a link."""
        return self._root.joinpath(*parts)

    def mode(self, parts: Parts) -> int:
        """What something is, as `lstat` says it; 0 of what is not there."""
        try:
            return os.lstat(self.path(parts)).st_mode
        except OSError:
            return 0

    def names(self, parts: Parts) -> list[str]:
        """What is in a directory."""
        return sorted(os.listdir(self.path(parts)))

    def resolve(self, parts: Parts) -> Parts | None:
        """Where a path leads, all links followed; `None` where it leads nowhere."""
        found: list[str] = []
        left = list(reversed(parts))
        links = 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del found[-1:]
                continue
            mode = self.mode((*found, part))
            if stat.S_ISLNK(mode):
                links += 1
                if links > _MOST_LINKS:
                    return None
                target = os.readlink(self.path((*found, part)))
                if target.startswith("/"):
                    found.clear()
                left.extend(reversed(target.split("/")))
            elif not mode or (left and not stat.S_ISDIR(mode)):
                return None
            else:
                found.append(part)
        return tuple(found)

    def place(self, parts: Parts) -> Parts | None:
        """Where something lies itself, which may be a link."""
        if not parts:
            return ()
        parent = self.resolve(parts[:-1])
        return None if parent is None else (*parent, parts[-1])

    def directory(self, parts: Parts) -> Parts | None:
        """The directory that a path leads to, if it leads to one."""
        found = self.resolve(parts)
        return found if found is not None and stat.S_ISDIR(self.mode(found)) else None

    def expand(self, pattern: Parts, parts: Parts = ()) -> Iterator[Parts]:
        """The paths that a pattern means. Directories on the way may be links, but not for `**`."""
        if not pattern:
            yield parts
            return
        directory = self.directory(parts)
        if directory is None:
            return
        first, rest = pattern[0], pattern[1:]
        if first == ANY_DEPTH:
            yield from self.expand(rest, parts)
            for name in self.names(directory):
                if stat.S_ISDIR(self.mode((*directory, name))):
                    yield from self.expand(pattern, (*parts, name))
                elif not rest:
                    yield (*parts, name)
            return
        for name in self.names(directory):
            if matches_part(name, first):
                yield from self.expand(rest, (*parts, name))


@dataclass
class _Chosen:
    """What is kept: where it is to lie, and where it lies now."""

    tree: _Tree
    destination: Path
    entries: dict[Parts, Parts] = field(default_factory=dict)
    links: dict[Parts, Parts] = field(default_factory=dict)
    """Links that were named themselves, and the files that they lead to."""

    def add_file(self, parts: Parts) -> None:
        """Keep a file; a path that is none is left out."""
        place = self.tree.place(parts)
        if place is None or parts in self.entries:
            return
        found = self.tree.resolve(parts)
        if found is None or stat.S_ISDIR(self.tree.mode(found)):
            return
        self._check(found)
        if found == place:
            self.entries[parts] = place
        else:
            self.links[parts] = found

    def add_directory(self, parts: Parts) -> None:
        """Keep a directory with all that is in it; a path that is none is left out."""
        place = self.tree.directory(parts)
        if place is None:
            return
        waiting = [(parts, place)]
        while waiting:
            path, real = waiting.pop()
            self.entries[path] = real
            for name in self.tree.names(real):
                below = (*real, name)
                self._check(below)
                if stat.S_ISDIR(self.tree.mode(below)):
                    waiting.append(((*path, name), below))
                else:
                    self.entries[(*path, name)] = below

    def _check(self, place: Parts) -> None:
        shown = "/".join(place)
        try:
            shown.encode()
        except UnicodeEncodeError:
            finding = f"the name of {os.fsencode(shown)!r} is not UTF-8"
        else:
            mode = self.tree.mode(place)
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                return
            finding = f"{shown!r} is neither a file nor a directory nor a link"
        raise BuildFailedError(
            f"Pants cannot keep all that `output_files` and `output_directories` name: {finding}."
            " Remove it in the stage, or name less."
        )

    def write(self) -> None:
        """Put everything where it is to lie."""
        for path, found in self.links.items():
            # A link whose file is kept as well stays one; another would lead nowhere.
            place = self.tree.place(path)
            self.entries.setdefault(path, (place or found) if found in self.entries else found)
        for path, place in sorted(self.entries.items()):
            target = self.destination.joinpath(*path)
            mode = self.tree.mode(place)
            if stat.S_ISDIR(mode):
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(mode):
                target.symlink_to(self._link(path, place))
            else:
                source = self.tree.path(place)
                os.chmod(source, 0o755 if mode & stat.S_IXUSR else 0o644)
                os.link(source, target)

    def _link(self, path: Parts, place: Parts) -> str:
        """What a link says. One that would lead elsewhere outside of a container is rewritten."""
        text = os.readlink(self.tree.path(place))
        if path == place and _stays_inside(text, len(place) - 1):
            return text
        directory = () if text.startswith("/") else place[:-1]
        *way, last = (*directory, *text.split("/"))
        parent = self.tree.resolve(tuple(way))
        leads_to = (*(way if parent is None else parent), last)
        # Where nothing is, above the root is the root, too.
        return posixpath.relpath("/".join(("", *leads_to)), "/".join(("", *path[:-1])) or "/")


def _stays_inside(text: str, depth: int) -> bool:
    """Whether a link in a directory so many levels below the root never leaves that."""
    if text.startswith("/"):
        return False
    for step in text.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(step, 1)
        if depth < 0:
            return False
    return True
