"""A builder that the options describe: created where it is missing, booted, and used again.

What is created belongs to the plugin: it is named by all that it was made from, and lies in a
buildx configuration of its own. See `docs/decisions/0016-described-builders-are-our-own.md`.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pants_docker_buildkit.buildx.builder import (
    Builder,
    all_nodes_run,
    parse_builder,
    parse_node_statuses,
)
from pants_docker_buildkit.buildx.builder_description import (
    DOCKER,
    KUBERNETES,
    REMOTE,
    BuilderDescription,
)
from pants_docker_buildkit.buildx.buildkitd_config import render_buildkitd_config
from pants_docker_buildkit.buildx.create_command import node_name, render_create_arguments
from pants_docker_buildkit.buildx.deployments import Deployment, describe_pods
from pants_docker_buildkit.solver.builder_choice import choose_builder, remember_builder
from pants_docker_buildkit.solver.builder_instance import content_hash, instance_name
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_search import (
    DEFAULT_CONTEXT,
    chosen_context,
    engine_environment,
)
from pants_docker_buildkit.solver.errors import BuilderNotBootedError, BuilderNotReadyError
from pants_docker_buildkit.solver.locked_file import try_to_lock_file
from pants_docker_buildkit.solver.progress import tell
from pants_docker_buildkit.solver.remote_builder import (
    await_remote_builder,
    last_error,
    seconds_to_ask,
)

BUILDX_DIRECTORY = "buildx"
"""The plugin's own buildx configuration, beside the directories of sessions."""

_ASK_AGAIN_SECONDS = 0.1
_END_SECONDS = 5.0
# Of pods that need longer than the driver waits (`driver/kubernetes/driver.go`), and of what
# another machine has created meanwhile.
_STILL_BOOTING = re.compile(r"expected \d+ replicas to be ready, got \d+$| already exists$")


@dataclass(frozen=True)
class ChosenBuilder:
    """A builder that answers, the name to call it by, and the CLI that knows it by that name.

    One of the plugin's own lies in `own_buildx_config`.
    """

    docker: DockerCli
    builder: Builder
    name: str | None
    own_buildx_config: str | None = None


def choose_described_builder(
    docker: DockerCli, description: BuilderDescription, session: Path
) -> ChosenBuilder:
    """The builder of a description, ready to build. It is asked once in a session."""
    if description.driver == DOCKER:
        return _choose_engine(docker, description.nodes[0].endpoint, session)
    # A container is run by an engine that people expect to be found, where nobody chose one.
    docker = docker.with_environment(engine_environment(docker.environment))
    docker = _own_buildx(docker, session)
    instance = instance_name(docker, description)
    builder = remember_builder(
        session,
        instance,
        lambda: parse_builder(boot_builder(docker, description, instance, session)),
    )
    builder = replace(builder, described=description.called)
    return ChosenBuilder(docker, builder, instance, docker.environment["BUILDX_CONFIG"])


def _choose_engine(docker: DockerCli, endpoint: str | None, session: Path) -> ChosenBuilder:
    """The builder that buildx has for an engine: its name is that of the engine's context."""
    if endpoint is not None:
        docker = docker.at_engine(endpoint)
    name = chosen_context(docker.environment) or DEFAULT_CONTEXT
    return ChosenBuilder(docker, choose_builder(docker, name, session), name)


def boot_builder(
    docker: DockerCli, description: BuilderDescription, instance: str, session: Path
) -> str:
    """What `docker buildx inspect` says of the builder `instance`, once it runs.

    `docker` has the plugin's own buildx configuration. One process creates and boots, others wait
    for it. Raises `BuilderNotReadyError`.
    """
    deadline = time.monotonic() + description.boot_timeout
    _check_tls_files(description)
    directory = Path(docker.environment["BUILDX_CONFIG"])
    with (
        _lock(directory, description, instance, deadline),
        _answered_in_time(description, instance),
    ):
        # It is asked for its nodes, each of which may accept connections and say nothing.
        seconds = seconds_to_ask(deadline)
        answer = docker.ask("buildx", "inspect", instance, seconds=seconds)
        if len(parse_node_statuses(answer.stdout)) < len(description.nodes):
            _create(docker, description, instance, directory, deadline)
            seconds = seconds_to_ask(deadline)
            answer = docker.ask("buildx", "inspect", instance, seconds=seconds)
        if all_nodes_run(answer.stdout):
            return answer.stdout
        begun = "Waiting for" if description.driver == REMOTE else "Booting"
        tell(session, f"{begun} builder {description.called}…")
        if description.driver == REMOTE:
            return _await(docker, instance, description, deadline)
        return _bootstrap(docker, instance, description, deadline)


def _own_buildx(docker: DockerCli, session: Path) -> DockerCli:
    """The CLI with the plugin's own buildx configuration, which only the user can read."""
    # A sandbox shows the directory of sessions under another path, which goes away with it.
    directory = session.resolve().parent / BUILDX_DIRECTORY
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return docker.with_buildx_config(directory)


@contextmanager
def _answered_in_time(description: BuilderDescription, instance: str) -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired as e:
        within = f"answer within {description.boot_timeout} s"
        raise BuilderNotReadyError(
            description.name, within, "it did not", _advice(description, instance)
        ) from e


def _await(
    docker: DockerCli, instance: str, description: BuilderDescription, deadline: float
) -> str:
    answer = await_remote_builder(docker, instance, deadline - time.monotonic())
    if answer.problem is not None:
        within = f" within {description.boot_timeout} s" if answer.waited else ""
        raise BuilderNotReadyError(
            description.name,
            f"accept a connection{within}",
            answer.problem,
            _advice(description, instance),
        )
    return answer.inspection


def _bootstrap(
    docker: DockerCli, instance: str, description: BuilderDescription, deadline: float
) -> str:
    while True:
        try:
            answer = _boot(docker, instance, deadline)
        except subprocess.TimeoutExpired:
            within = f"boot within {description.boot_timeout} s"
            raise BuilderNotReadyError(
                description.name, within, "it did not", _advice(description, instance)
            ) from None
        if answer.returncode == 0 and all_nodes_run(answer.stdout):
            return answer.stdout
        reason = last_error(answer.stderr) or "it does not run"
        if not _STILL_BOOTING.search(reason):
            raise BuilderNotBootedError(
                description.name, "boot", reason, _advice(description, instance)
            )
        time.sleep(_ASK_AGAIN_SECONDS)


def _boot(docker: DockerCli, instance: str, deadline: float) -> subprocess.CompletedProcess[str]:
    """What buildx says. Raises `subprocess.TimeoutExpired`."""
    arguments = docker.arguments(("buildx", "inspect", "--bootstrap", instance))
    with subprocess.Popen(
        arguments,
        env=dict(docker.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            said, problem = process.communicate(timeout=max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            _end(process)
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, said, problem)


def _end(process: subprocess.Popen[str]) -> None:
    # The CLI passes a polite request on to buildx; killed, it would leave that behind.
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def _create(
    docker: DockerCli,
    description: BuilderDescription,
    instance: str,
    directory: Path,
    deadline: float,
) -> None:
    """Add all nodes. Those that a creation which was killed left behind stay as they are."""
    config_file = description.buildkitd_config_file
    if description.buildkitd is not None:
        path = directory / f"{instance}.toml"
        path.write_text(render_buildkitd_config(description.buildkitd))
        config_file = str(path)
    for arguments in render_create_arguments(description, instance, config_file):
        answer = docker.ask(*arguments, seconds=seconds_to_ask(deadline))
        if answer.returncode != 0:
            raise BuilderNotReadyError(
                description.name, "be one that buildx can create", last_error(answer.stderr)
            )


@contextmanager
def _lock(
    directory: Path, description: BuilderDescription, instance: str, deadline: float
) -> Iterator[None]:
    while (file := try_to_lock_file(directory / f"{instance}.lock")) is None:
        if time.monotonic() >= deadline:
            raise BuilderNotReadyError(
                description.name,
                f"be booted within {description.boot_timeout} s",
                "another session is still at it",
                _advice(description, instance),
            )
        time.sleep(_ASK_AGAIN_SECONDS)
    with file:
        yield


def _check_tls_files(description: BuilderDescription) -> None:
    if description.driver == REMOTE:
        for node in description.nodes:
            for key, path in node.driver_opts:
                if key in ("cacert", "cert", "key"):
                    content_hash(path, description)


def _advice(description: BuilderDescription, instance: str) -> str:
    if description.driver == REMOTE:
        return (
            "Check `endpoint`, `cacert`, `cert` and `key`, and whether a BuildKit runs there;"
            " where it needs longer, raise `boot_timeout`."
        )
    if description.driver == KUBERNETES:
        places = " and ".join(describe_pods(_deployments(description, instance)))
        return (
            f"Look at {places}, and check KUBECONFIG and `driver_opts`; where it needs longer,"
            " raise `boot_timeout`."
        )
    return (
        "Check that its engine runs and can pull the image of BuildKit (`driver_opts.image`);"
        " where it needs longer, raise `boot_timeout`."
    )


def _deployments(description: BuilderDescription, instance: str) -> Iterator[Deployment]:
    for index, node in enumerate(description.nodes):
        yield Deployment(node_name(instance, index), dict(node.driver_opts).get("namespace"))
