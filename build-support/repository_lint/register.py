"""Linters of this repository whose versions on the package index Pants 2.17 cannot run itself."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from repository_lint import codespell, ruff, shellcheck


def rules() -> Iterable[Rule | UnionRule]:
    return (*codespell.rules(), *ruff.rules(), *shellcheck.rules())
