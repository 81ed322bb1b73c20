"""Which files does a Git repository have at a commit, as BuildKit would check them out?

The counterpart of `checkout` in BuildKit's `source/git`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pants_docker_buildkit.remote.git_program import Git
from pants_docker_buildkit.remote.web_content import RemoteContentError

_SECONDS = 3600

# What the user's configuration could make of the files: BuildKit has none.
_SETTINGS = (
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.fileMode=true",
    "core.hooksPath=/dev/null",
    "core.symlinks=true",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "filter.lfs.smudge=",
    "init.defaultBranch=main",
)
_GIT = ".git"


def check_out(
    url: str, commit: str, subdirectory: str, place: Path, environment: Mapping[str, str]
) -> Path:
    """The directory below `place` with the files of `subdirectory` at `commit`, and no others.

    `url` is the repository's own. Submodules are checked out, too. Git is run in the user's
    environment, as for `find_commit`. Raises `RemoteContentError`.
    """
    tree = place / "repository"
    tree.mkdir()
    git = Git(environment, _SECONDS, tree, _SETTINGS)
    git.run("init", "--quiet")
    git.run("remote", "add", "--", "origin", url)
    if not git.succeeds("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit):
        # Not every server gives a commit by its name, or part of a history.
        git.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    git.without_configuration().run("checkout", "--quiet", "--detach", commit)
    if (tree / ".gitmodules").exists():
        update = ("submodule", "--quiet", "update", "--init", "--recursive")
        if not git.succeeds(*update, "--depth=1"):
            git.run(*update)
    for name in filter(None, subdirectory.split("/")):
        tree = tree / name
        if tree.is_symlink() or not tree.is_dir():
            raise RemoteContentError(f"there is no directory {subdirectory!r} at {commit}")
    _remove_git_files(tree)
    return tree


def _remove_git_files(tree: Path) -> None:
    """What Git keeps in a directory and in its submodules is in no context."""
    for directory, directories, files in os.walk(tree):
        if _GIT in directories:
            shutil.rmtree(os.path.join(directory, _GIT))
            directories.remove(_GIT)
        if _GIT in files:
            os.unlink(os.path.join(directory, _GIT))
