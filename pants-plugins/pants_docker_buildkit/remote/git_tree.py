"""Which files does a Git repository have at a commit, as BuildKit would check them out?

The counterpart of `checkout` in BuildKit's `source/git`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pants_docker_buildkit.remote.git_program import Git
from pants_docker_buildkit.remote.ssh_login import SshLogin
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
_MODULES = ".gitmodules"
_LENGTH_OF_SHA256 = 64
_NO_CHECKOUT = "none"
_MODE_OF_SUBMODULE = "160000"

_OF_STRANGERS = {"GIT_PROTOCOL_FROM_USER": "0"}
"""Has Git refuse URLs that only the user may give, such as paths on this machine."""


def check_out(
    url: str,
    commit: str,
    subdirectory: str,
    place: Path,
    environment: Mapping[str, str],
    ssh: Iterable[str] = (),
) -> Path:
    """The directory below `place` with the files of `subdirectory` at `commit`, and no others.

    `url` is the repository's own. Submodules are checked out, too. Git is run in the user's
    environment, and with `ssh`, as for `find_commit`. Raises `RemoteContentError`.
    """
    tree = place / "repository"
    tree.mkdir()
    _check_out(url, commit, tree, environment, tuple(ssh))
    for name in filter(None, subdirectory.split("/")):
        tree = tree / name
        if tree.is_symlink() or not tree.is_dir():
            raise RemoteContentError(f"there is no directory {subdirectory!r} at {commit}")
    _remove_git_files(tree)
    return tree


def _check_out(
    url: str, commit: str, tree: Path, environment: Mapping[str, str], ssh: tuple[str, ...]
) -> None:
    """Fetch as the user, whom servers know, and write files as nobody has configured Git."""
    login = SshLogin.of_build(url, ssh, environment.get("HOME", ""))
    git = Git(environment, _SECONDS, tree, _SETTINGS, login)
    plain = git.without_configuration()
    # The user's template may have filters and hooks, too.
    kind = ("--object-format=sha256",) if len(commit) == _LENGTH_OF_SHA256 else ()
    plain.run("init", "--quiet", "--template=", *kind)
    plain.run("remote", "add", "--", "origin", url)
    if not git.succeeds("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit):
        # Not every server gives a commit by its name, or part of a history.
        git.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    plain.run("checkout", "--quiet", "--detach", commit)
    # `git submodule update` would check out with the configuration that it fetches with.
    for path, module, pinned in _submodules(plain, tree):
        _check_out(module, pinned, path, {**environment, **_OF_STRANGERS}, ssh)


def _submodules(git: Git, tree: Path) -> Iterator[tuple[Path, str, str]]:
    """The empty directory of each submodule in use, its URL and its commit."""
    # As for BuildKit, it is an error where one has no URL.
    git.run("submodule", "--quiet", "init")
    names = {path: name for name, path in _settings(git, "path", "--file", _MODULES)}
    urls, updates = dict(_settings(git, "url")), dict(_settings(git, "update"))
    for entry in filter(None, git.run("ls-files", "--stage", "-z").split("\0")):
        about, _, path = entry.partition("\t")
        mode, commit, _ = about.split(" ")
        name = names.get(path, "")
        if mode != _MODE_OF_SUBMODULE or updates.get(name) == _NO_CHECKOUT or name not in urls:
            continue
        directory = tree / path
        if directory.resolve() != tree.resolve() / path:
            # Where case does not count, a link may have the name of a directory.
            raise RemoteContentError(f"the submodule {path!r} is behind a link")
        yield directory, urls[name], commit


def _settings(git: Git, variable: str, *options: str) -> Iterator[tuple[str, str]]:
    """The names of submodules with what is configured for them."""
    pattern = rf"^submodule\..*\.{variable}$"
    if not git.succeeds("config", *options, "--get-regexp", pattern):
        return
    listing = git.run("config", *options, "--null", "--get-regexp", pattern)
    for each in filter(None, listing.split("\0")):
        key, _, value = each.partition("\n")
        yield key.removeprefix("submodule.").removesuffix(f".{variable}"), value


def _remove_git_files(tree: Path) -> None:
    """What Git keeps in a directory and in its submodules is in no context."""
    for directory, directories, files in os.walk(tree):
        if _GIT in directories:
            shutil.rmtree(os.path.join(directory, _GIT))
            directories.remove(_GIT)
        if _GIT in files:
            os.unlink(os.path.join(directory, _GIT))
