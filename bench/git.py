"""Have a checkout under Git, whose commits are in tags."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from bench.checkout import Checkout, run
from bench.workbench import unique


@contextmanager
def git_worktree(checkout: Checkout) -> Iterator[None]:
    """Have the checkout under Git, without touching what other scenarios measure there."""
    _git(checkout, "init", "--quiet")
    try:
        yield
    finally:
        shutil.rmtree(checkout.path / ".git")


def commit(checkout: Checkout) -> None:
    """Make a commit that changes no file."""
    _git(checkout, "commit", "--quiet", "--allow-empty", "--message", unique())


def _git(checkout: Checkout, *arguments: str) -> None:
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    environment = checkout.tools.environment(checkout.machine / "home")
    run(["git", *author, *arguments], checkout.path, environment)
