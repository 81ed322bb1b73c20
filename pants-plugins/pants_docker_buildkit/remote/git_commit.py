"""Which commit does a reference of a Git repository name now?

The counterpart of `resolveMetadata` in BuildKit's `source/git`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.remote.web_content import RemoteContentError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECONDS = 60


def find_commit(url: str, reference: str, environment: Mapping[str, str]) -> str:
    """The commit that `reference` is in the repository at `url`; of its default branch if empty.

    Git is run in the user's environment, so that it knows the user's SSH agent and credential
    helpers. Raises `RemoteContentError`.
    """
    name = reference or "HEAD"
    try:
        answer = subprocess.run(
            ["git", "ls-remote", "--", repository_url(url), name, f"{name}^{{}}"],
            env={**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            # Without a terminal, neither Git nor SSH waits for somebody to answer it.
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as e:
        raise RemoteContentError(f"'git ls-remote' gave no answer in {_SECONDS} s") from e
    except OSError as e:
        raise RemoteContentError(f"'git' cannot be run: {e.strerror}") from e
    if answer.returncode != 0:
        lines = [line for line in answer.stderr.splitlines() if line.strip()]
        raise RemoteContentError(f"'git ls-remote' fails: {redact(lines[0] if lines else '')}")
    commit = choose_commit(answer.stdout, name)
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
