"""Codespell on every text that people read: sources with their help texts, and documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.core.goals.lint import LintFilesRequest, LintResult
from pants.core.util_rules.partitions import Partitions
from pants.engine.fs import PathGlobs, Snapshot
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem

from repository_lint import tool
from repository_lint.tool import LintToolRun

SUFFIXES = (".md", ".py", ".sh", ".toml")


class Codespell(Subsystem):
    """The `[codespell]` options."""

    options_scope = "codespell"
    name = "codespell"
    help = "The spelling checker (https://github.com/codespell-project/codespell)."
    skip = SkipOption("lint")


class CodespellRequest(LintFilesRequest):
    tool_subsystem = Codespell  # type: ignore[assignment]  # SkipOption is no bool to mypy


@rule
async def select_texts(
    request: CodespellRequest.PartitionRequest, codespell: Codespell
) -> Partitions[str, Any]:
    texts = () if codespell.skip else tuple(f for f in request.files if f.endswith(SUFFIXES))
    return Partitions.single_partition(texts) if texts else Partitions()


@rule(desc="Check spelling with codespell")
async def lint_with_codespell(request: CodespellRequest.Batch[str, Any]) -> LintResult:
    snapshot = await Get(Snapshot, PathGlobs(request.elements))
    result = await Get(FallibleProcessResult, LintToolRun("codespell", (), snapshot))
    return LintResult.create(request, result)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *CodespellRequest.rules(), *tool.rules())
