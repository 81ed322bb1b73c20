"""Which commit is checked out? Asked in every session that names a tag after it, and in no key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.util_rules.system_binaries import GitBinaryException
from pants.engine.rules import Rule, collect_rules
from pants.vcs.git import GitWorktreeRequest

from pants_docker_buildkit.compat import get_git_worktree, implicitly, uncacheable_rule


@dataclass(frozen=True)
class GitCommitRequest:
    """Asks for the commit of the worktree that Pants runs in."""


@dataclass(frozen=True)
class GitCommit:
    """The full hash of a commit; `None` outside of a worktree, and in one without commits."""

    sha: str | None


@uncacheable_rule(desc="Read Git commit")
async def read_git_commit(_: GitCommitRequest) -> GitCommit:
    found = await get_git_worktree(GitWorktreeRequest(), **implicitly())
    if found.git_worktree is None:
        return GitCommit(None)
    try:
        return GitCommit(found.git_worktree.commit_id.strip())
    except GitBinaryException:
        return GitCommit(None)


def rules() -> Iterable[Rule]:
    return collect_rules()
