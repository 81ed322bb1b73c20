"""Which commit does a reference of a Git repository name now?

The counterpart of `resolveMetadata` in BuildKit's `source/git`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pants_docker_buildkit.remote.git_program import Git
from pants_docker_buildkit.remote.ssh_login import SshLogin
from pants_docker_buildkit.remote.web_content import RemoteContentError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECONDS = 60


def find_commit(
    url: str, reference: str, environment: Mapping[str, str], ssh: Iterable[str] = ()
) -> str:
    """The commit that `reference` is in the repository at `url`; of its default branch if empty.

    Git is run in the user's environment, so that it knows the user's SSH agent and credential
    helpers. By SSH, it is run with what `ssh` forwards to the build, as for `SshLogin.of_build`.
    Raises `RemoteContentError`.
    """
    name, repository = reference or "HEAD", repository_url(url)
    login = SshLogin.of_build(repository, ssh, environment.get("HOME", ""))
    git = Git(environment, _SECONDS, login=login)
    listing = git.run("ls-remote", "--", repository, name, f"{name}^{{}}")
    commit = choose_commit(listing, name)
    if commit is None:
        raise RemoteContentError(f"the repository has no reference {name!r}")
    return commit


def repository_url(url: str) -> str:
    """`url` without what BuildKit reads in it beside the repository's own."""
    return url.partition("#")[0].partition("?")[0]


def choose_commit(listing: str, reference: str) -> str | None:
    """The commit that BuildKit takes `reference` for, of what `git ls-remote` lists.

    A full name comes before a branch, and a branch before a tag; of a tag with a message, it is
    what the tag is of.
    """
    commits: dict[str, str] = {}
    for line in listing.splitlines():
        commit, _, name = line.partition("\t")
        commits[name] = commit
    tag = f"refs/tags/{reference.removeprefix('refs/tags/')}"
    names = (
        "HEAD" if reference == "HEAD" else "",
        *_dereferenced(f"refs/{reference.removeprefix('refs/')}"),
        f"refs/heads/{reference.removeprefix('refs/heads/')}",
        *_dereferenced(tag),
    )
    found = next((commits[name] for name in names if name in commits), "")
    return found if _COMMIT.fullmatch(found) else None


def _dereferenced(name: str) -> tuple[str, str]:
    return f"{name}^{{}}", name
