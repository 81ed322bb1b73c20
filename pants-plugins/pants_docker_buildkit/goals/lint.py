"""`pants lint`: BuildKit's checks of Dockerfiles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.engine.addresses import Addresses
from pants.engine.target import FieldSet, Target
from pants.option.option_types import EnumOption, SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from pants_docker_buildkit.compat import concurrently, implicitly, resolve_address_targets, rule
from pants_docker_buildkit.fields.dockerfile import (
    BuildKitImageSourceField,
    SkipDockerfileChecksField,
)
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.util_rules.dockerfile_checks import (
    CheckFinding,
    check_dockerfile_with_buildkit,
)


class FindingFormat(Enum):
    """How a finding is printed."""

    TEXT = "text"
    GITHUB = "github"


class DockerfileChecksSubsystem(Subsystem):
    """The options of the linter."""

    options_scope = "dockerfile-checks"
    name = "BuildKit's checks"
    help = softwrap(
        """
        BuildKit's checks of Dockerfiles (https://docs.docker.com/reference/build-checks/). A line
        `# check=skip=RULE` in a Dockerfile disables a rule.
        """
    )
    skip = SkipOption("lint")
    format = EnumOption(
        default=FindingFormat.TEXT,
        help=softwrap(
            """
            `text`: `FILE:LINE: RULE: …`; `github`: annotations for a job in GitHub Actions.
            """
        ),
    )


@dataclass(frozen=True)
class DockerfileChecksFieldSet(FieldSet):
    """An image target whose Dockerfile is checked."""

    required_fields = (BuildKitImageSourceField,)

    source: BuildKitImageSourceField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        """Whether the target does not want to be checked."""
        return bool(tgt.get(SkipDockerfileChecksField).value)


class DockerfileLintRequest(LintTargetsRequest):
    """Asks to check the Dockerfiles of image targets."""

    field_set_type = DockerfileChecksFieldSet
    tool_subsystem = DockerfileChecksSubsystem  # type: ignore[assignment]
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


# Pants names no rule below this level by what it says it does.
@rule(desc="Check Dockerfiles with BuildKit", level=LogLevel.DEBUG)
async def lint_dockerfiles(
    request: DockerfileLintRequest.Batch[DockerfileChecksFieldSet, Any],
    subsystem: DockerfileChecksSubsystem,
) -> LintResult:
    addresses = [each.address for each in request.elements]
    targets = await resolve_address_targets(**implicitly(Addresses(addresses)))
    checks = await concurrently(
        check_dockerfile_with_buildkit(BuildKitImageFieldSet.create(target), **implicitly())
        for target in targets
    )
    # Several targets may have one Dockerfile.
    findings = dict.fromkeys(each for check in checks for each in check.findings)
    stdout = "".join(_line(each, subsystem.format) for each in findings)
    stderr = "".join(
        f"{target.address} was not checked: {check.problem}\n"
        for target, check in zip(targets, checks)
        if check.problem
    )
    return LintResult(1 if stdout or stderr else 0, stdout, stderr, DockerfileLintRequest.tool_name)


def _line(finding: CheckFinding, style: FindingFormat) -> str:
    if style is FindingFormat.GITHUB:
        path, title = _escape(finding.path, "%\r\n:,"), _escape(finding.rule, "%\r\n:,")
        detail = _escape(finding.detail, "%\r\n")
        return (
            f"::warning file={path},line={finding.line},title={title}::{detail} ({finding.url})\n"
        )
    about = f" ({finding.url})" if finding.url else ""
    return f"{finding.path}:{finding.line}: {finding.rule}: {finding.detail}{about}\n"


def _escape(text: str, special: str) -> str:
    """As commands of a job's log have to be written; of properties, more is `special`."""
    return "".join(f"%{ord(each):02X}" if each in special else each for each in text)
