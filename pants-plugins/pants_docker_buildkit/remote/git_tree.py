"""Which files does a Git repository have at a commit, as BuildKit would check them out?

The counterpart of `checkout` in BuildKit's `source/git`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.web_content import RemoteContentError

_SECONDS = 3600

_SETTINGS = tuple(
    word
    for setting in (
        # What the user's configuration could make of the files: BuildKit has none.
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
    for word in ("-c", setting)
)
_GIT = ".git"


def check_out(
    url: str, commit: str, subdirectory: str, place: Path, environment: Mapping[str, str]
) -> Path:
    """The directory below `place` with the files of `subdirectory` at `commit`, and no others.

    `url` is the repository's own. Submodules are checked out, too. Git is run in the user's
    environment, as for `find_commit`. Raises `RemoteContentError`.
    """
    git = _Git(place / "repository", environment)
    git.directory.mkdir()
    git.run("init", "--quiet")
    git.run("remote", "add", "--", "origin", url)
    if not git.succeeds("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit):
        # Not every server gives a commit by its name, or part of a history.
        git.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    git.without_configuration().run("checkout", "--quiet", "--detach", commit)
    if (git.directory / ".gitmodules").exists():
        update = ("submodule", "--quiet", "update", "--init", "--recursive")
        if not git.succeeds(*update, "--depth=1"):
            git.run(*update)
    tree = git.directory
    for name in filter(None, subdirectory.split("/")):
        tree = tree / name
        if tree.is_symlink() or not tree.is_dir():
            raise RemoteContentError(f"there is no directory {subdirectory!r} at {commit}")
    _remove_git_files(tree)
    return tree


class _Git:
    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._environment = {**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}

    def without_configuration(self) -> _Git:
        """The same without what the user has configured: filters may make files of others."""
        nothing = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        return _Git(self.directory, {**self._environment, **nothing})

    def run(self, *arguments: str) -> None:
        """Run a command of Git's that has to succeed."""
        done = self._run(*arguments)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            said = redact(lines[-1] if lines else f"it ended with {done.returncode}")
            raise RemoteContentError(f"'git {arguments[0]}' fails: {said}")

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command of Git's does."""
        return self._run(*arguments).returncode == 0

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", *_SETTINGS, *arguments],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                # Without a terminal, neither Git nor SSH waits for somebody to answer it.
                start_new_session=True,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as e:
            raise RemoteContentError(f"'git {arguments[0]}' took more than {_SECONDS} s") from e
        except OSError as e:
            raise RemoteContentError(f"'git' cannot be run: {e.strerror}") from e


def _remove_git_files(tree: Path) -> None:
    """What Git keeps in a directory and in its submodules is in no context."""
    for directory, directories, files in os.walk(tree):
        if _GIT in directories:
            shutil.rmtree(os.path.join(directory, _GIT))
            directories.remove(_GIT)
        if _GIT in files:
            os.unlink(os.path.join(directory, _GIT))
