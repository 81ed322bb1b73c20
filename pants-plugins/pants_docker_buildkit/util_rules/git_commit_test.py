from __future__ import annotations

import os
from pathlib import Path

from pants_docker_buildkit.util_rules.git_commit import explain_no_worktree

ME = os.geteuid()


def test_no_worktree_is_no_worktree(tmp_path: Path) -> None:
    assert explain_no_worktree(tmp_path, ME) == "there is none here"


def test_the_worktree_of_another_user_is_dubious(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    assert explain_no_worktree(below, ME + 1) == (
        f"{tmp_path} belongs to another user, which Git calls dubious ownership. Trust it with"
        f" 'git config --global --add safe.directory {tmp_path}'"
    )


def test_a_worktree_that_git_does_not_read_for_another_reason_is_named(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert explain_no_worktree(tmp_path, ME) == (
        f"Git cannot read {tmp_path}/.git: see what 'git -C {tmp_path} status' says"
    )
