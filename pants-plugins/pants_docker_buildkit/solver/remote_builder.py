"""Does a BuildKit that somebody else runs answer, and if it does not, why?"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from pants_docker_buildkit.buildx.builder import all_nodes_run
from pants_docker_buildkit.registry.redaction import redact_user_info
from pants_docker_buildkit.solver.docker_cli import DockerCli

_ASK_AGAIN_SECONDS = 1.0
_SHORTEST_SECONDS = 5.0
_OF_THE_QUESTION = "failed to call diskusage: "
_FOREVER = re.compile(r"tls: |x509: |tls config")
"""In a reason why a connection failed: time will not help."""


@dataclass(frozen=True)
class RemoteAnswer:
    """What `docker buildx inspect` says of a builder, or why that one does not answer."""

    inspection: str
    problem: str | None = None
    waited: bool = True


def await_remote_builder(docker: DockerCli, name: str, seconds: float) -> RemoteAnswer:
    """The answer of a builder of the driver `remote`, which is asked until it gives one.

    Where it can only be asked in vain, because a certificate is wrong, it is asked once. Raises
    `subprocess.TimeoutExpired` where it accepts connections and says nothing.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = docker.ask("buildx", "inspect", name, seconds=seconds_to_ask(deadline))
        inspection = answer.stdout
        if all_nodes_run(inspection):
            return RemoteAnswer(inspection)
        problem = explain_silence(docker, name, seconds_to_ask(deadline))
        if _FOREVER.search(problem):
            return RemoteAnswer(inspection, problem, waited=False)
        if time.monotonic() >= deadline:
            return RemoteAnswer(inspection, problem)
        time.sleep(_ASK_AGAIN_SECONDS)


def seconds_to_ask(deadline: float) -> float:
    """How long buildx may take to answer. By itself it waits 20 seconds for a builder.

    `deadline` is of `time.monotonic`. On a busy machine buildx may need a while to start.
    """
    return max(deadline - time.monotonic(), _SHORTEST_SECONDS)


def explain_silence(docker: DockerCli, name: str, seconds: float) -> str:
    """Why a builder does not answer. `docker buildx inspect` keeps that to itself."""
    question = ("buildx", "du", "--builder", name, "--filter", "id=none")
    answer = docker.ask(*question, seconds=seconds)
    return last_error(answer.stderr).removeprefix(_OF_THE_QUESTION) or "it is not running"


def last_error(text: str) -> str:
    """The error that a call of buildx ends with, without credentials; empty if it says nothing."""
    lines = redact_user_info(text).strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR: ")]
    return (errors or lines)[-1].removeprefix("ERROR: ") if lines else ""
