"""Which of BuildKit's checks does a Dockerfile fail? All of its stages are looked at.

buildx has BuildKit evaluate the Dockerfile without building it (`--call=lint`, see
https://docs.docker.com/reference/cli/docker/buildx/build/#call). Nothing of the context is sent but
the ignore file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pants_docker_buildkit.buildx.command import BuildCommand, render_arguments
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.solver.definition import BuildJob, ContextKind, NamedContext, parse_job
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.failure import summarize_failure
from pants_docker_buildkit.solver.input_tree import CONTEXT_DIRECTORY, DOCKERFILE, JOB_FILE, ROOT
from pants_docker_buildkit.solver.workplace import Workplace, open_workplace

_CALL = "lint,format=json"
_FINDINGS_ARE_ERRORS = "lint violation found"
"""What is said of a Dockerfile with `# check=error=true`, besides its findings."""


def check_dockerfile(job: BuildJob, settings: BuildSettings, workplace: Workplace) -> str:
    """The findings in JSON, sorted. Raises `BuildFailedError` where there can be none."""
    command = BuildCommand(
        context=settings.context_name,
        dockerfile=DOCKERFILE,
        metadata_file=str(workplace.scratch / "metadata.json"),
        platforms=job.definition.platforms,
        outputs=(),
        builder=workplace.builder_name,
        call=_CALL,
        build_args=job.definition.build_args,
        build_contexts=tuple(_contexts(job.definition.named_contexts, workplace.inputs)),
    )
    done = subprocess.run(
        workplace.docker.arguments(render_arguments(command, progress="plain")),
        cwd=workplace.inputs,
        env=workplace.docker.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode("utf-8", "replace")
    try:
        document = json.loads(done.stdout)
        error = document.get("buildError")
        findings = sorted(_findings(document), key=lambda each: (each["line"], each["rule"]))
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        raise BuildFailedError(summarize_failure(said, done.returncode)) from e
    if error and not (findings and str(error.get("message")).startswith(_FINDINGS_ARE_ERRORS)):
        raise BuildFailedError(f"line {_line(error)}: {error.get('message')}")
    return json.dumps(findings)


def run_checks(session: SessionClient, docker: DockerCli, key: str) -> str:
    """The findings in the Dockerfile in the working directory. Raises as `open_workplace` does."""
    inputs = Path.cwd() / ROOT
    settings = session.settings(key)
    job = parse_job((inputs / JOB_FILE).read_bytes())
    # A builder knows a context by the name of its directory.
    (inputs / CONTEXT_DIRECTORY).rename(inputs / settings.context_name)
    with open_workplace(job, settings, docker, session, inputs) as place:
        return check_dockerfile(job, settings, place)


def _contexts(contexts: tuple[NamedContext, ...], inputs: Path) -> Iterator[tuple[str, str]]:
    """What stands for named contexts: no check looks at what is in a directory."""
    for each in contexts:
        if each.kind is ContextKind.IMAGE:
            yield each.name, each.source(inputs)
        else:
            (inputs / each.directory).mkdir(parents=True, exist_ok=True)
            yield each.name, each.directory


def _findings(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in document.get("warnings") or ():
        yield {
            "rule": str(each["ruleName"]),
            "line": _line(each),
            "detail": str(each.get("detail") or each.get("description") or ""),
            "url": str(each.get("url") or ""),
        }


def _line(finding: dict[str, Any]) -> int:
    ranges = (finding.get("location") or {}).get("ranges") or ()
    return int(ranges[0]["start"]["line"]) if ranges else 1
