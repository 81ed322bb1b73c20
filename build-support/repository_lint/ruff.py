"""Ruff on Python files: `ruff check` for lint and fix, `ruff format` for fmt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.python.target_types import PythonSourceField
from pants.core.goals.fix import FixResult, FixTargetsRequest
from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import FieldSet
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem

from repository_lint import tool
from repository_lint.tool import LintToolRun


class Ruff(Subsystem):
    """The `[ruff]` options."""

    options_scope = "ruff"
    name = "ruff"
    help = "The Python linter and formatter (https://docs.astral.sh/ruff)."
    skip = SkipOption("fmt", "fix", "lint")


@dataclass(frozen=True)
class RuffFieldSet(FieldSet):
    """Targets with one Python file."""

    required_fields = (PythonSourceField,)
    source: PythonSourceField


class RuffCheckRequest(LintTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # SkipOption is no bool to mypy
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION
    tool_name = "ruff check"


class RuffFixRequest(FixTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # SkipOption is no bool to mypy
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION
    enable_lint_rules = False
    tool_name = "ruff check --fix"


class RuffFormatRequest(FmtTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # SkipOption is no bool to mypy
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION
    tool_name = "ruff format"


@rule(desc="Lint with ruff check")
async def check_with_ruff(request: RuffCheckRequest.Batch[RuffFieldSet, Any]) -> LintResult:
    sources = await Get(
        SourceFiles, SourceFilesRequest(field_set.source for field_set in request.elements)
    )
    result = await Get(
        FallibleProcessResult,
        LintToolRun("ruff", ("check", "--quiet", "--no-cache"), sources.snapshot),
    )
    return LintResult.create(request, result)


@rule(desc="Fix with ruff check")
async def fix_with_ruff(request: RuffFixRequest.Batch) -> FixResult:
    result = await Get(
        FallibleProcessResult,
        LintToolRun("ruff", ("check", "--fix", "--quiet", "--no-cache"), request.snapshot),
    )
    return await FixResult.create(request, result)


@rule(desc="Format with ruff format")
async def format_with_ruff(request: RuffFormatRequest.Batch) -> FmtResult:
    result = await Get(
        FallibleProcessResult,
        LintToolRun("ruff", ("format", "--quiet", "--no-cache"), request.snapshot),
    )
    return await FmtResult.create(request, result)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *RuffCheckRequest.rules(),
        *RuffFixRequest.rules(),
        *RuffFormatRequest.rules(),
        *tool.rules(),
    )
