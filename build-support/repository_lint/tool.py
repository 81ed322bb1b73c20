"""How is a console script of the `lint` resolve run on some files?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.backend.python.target_types import ConsoleScript
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.engine.fs import Digest, MergeDigests, Snapshot
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.unions import UnionRule

CONFIGURATION = "pyproject.toml"


@dataclass(frozen=True)
class LintToolRun:
    """One run of `script` in a sandbox that holds the files and the repository's configuration."""

    script: str
    arguments: tuple[str, ...]
    snapshot: Snapshot


@rule(desc="Run a tool of the lint resolve")
async def run_lint_tool(run: LintToolRun) -> FallibleProcessResult:
    requirements = PexRequirements(
        from_superset=Resolve("lint", use_entire_lockfile=True),
        description_of_origin=f"the requirements of {run.script}",
    )
    tool, configuration = await MultiGet(
        Get(
            VenvPex,
            PexRequest(
                output_filename=f"{run.script}.pex",
                internal_only=True,
                requirements=requirements,
                main=ConsoleScript(run.script),
            ),
        ),
        Get(
            ConfigFiles,
            ConfigFilesRequest(
                specified=CONFIGURATION, specified_option_name="the lint configuration"
            ),
        ),
    )
    input_digest = await Get(
        Digest, MergeDigests((run.snapshot.digest, configuration.snapshot.digest))
    )
    return await Get(
        FallibleProcessResult,
        VenvPexProcess(
            tool,
            argv=(*run.arguments, *run.snapshot.files),
            input_digest=input_digest,
            output_files=run.snapshot.files,
            description=f"Run {run.script} on {len(run.snapshot.files)} files",
        ),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *pex.rules())
