"""Which commit is checked out? Asked in every session that names a tag after it, and in no key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pants.core.util_rules.system_binaries import GitBinaryException
from pants.vcs.git import GitWorktreeRequest

from pants_docker_buildkit.compat import get_git_worktree, implicitly, uncacheable_rule


@dataclass(frozen=True)
class GitCommit:
    """The full hash of a commit; `None` where there is none, and then `problem` is why."""

    sha: str | None
    problem: str = ""


def explain_no_worktree(directory: Path, user: int) -> str:
    """Why Git knows of no worktree here. Completes "but …"."""
    for folder in (directory, *directory.parents):
        git = folder / ".git"
        if not git.exists():
            continue
        if user not in (folder.stat().st_uid, git.stat().st_uid):
            return (
                f"{folder} belongs to another user, which Git calls dubious ownership. Trust it"
                f" with 'git config --global --add safe.directory {folder}'"
            )
        return f"Git cannot read {git}: see what 'git -C {folder} status' says"
    return "there is none here"


@uncacheable_rule(desc="Read Git commit")
async def read_git_commit() -> GitCommit:
    try:
        # Pants asks for the branch here, which fails without a commit, too.
        found = await get_git_worktree(GitWorktreeRequest(), **implicitly())
        if found.git_worktree is not None:
            return GitCommit(found.git_worktree.commit_id.strip())
    except GitBinaryException:
        return GitCommit(None, "there is no commit yet")
    # Where Pants looks for it, too.
    return GitCommit(None, explain_no_worktree(Path.cwd(), os.geteuid()))
