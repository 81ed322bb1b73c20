"""The program that a build process runs beside buildx.

It starts in the sandbox of the process. It finds in the input tree what to build, and asks the
session how. It prints the `BuildResult`, the only thing that the process cache keeps of an image
that is pushed. It uses only the standard library, because it runs outside of Pants.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pants_docker_buildkit.solver.build import Workplace, build_image
from pants_docker_buildkit.solver.build_repositories import build_repositories
from pants_docker_buildkit.solver.builder_choice import choose_builder, engine_host, forget_builders
from pants_docker_buildkit.solver.container import parse_container_job, run_container
from pants_docker_buildkit.solver.definition import BuildJob, parse_job
from pants_docker_buildkit.solver.described_builder import ChosenBuilder, choose_described_builder
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.docker_config import (
    HELPER_COMMAND,
    repository_for,
    with_private_config,
)
from pants_docker_buildkit.solver.engine_bridge import (
    BUILDER_NAME,
    Engine,
    bridged_builder,
)
from pants_docker_buildkit.solver.engine_search import (
    DEFAULT_CONTEXT,
    chosen_context,
    engine_environment,
)
from pants_docker_buildkit.solver.errors import (
    EXIT_FAILED,
    EXIT_NO_SESSION,
    BuilderLostError,
    ContainerdStoreError,
    DockerCliNeededError,
    DockerNotFoundError,
    SolverError,
)
from pants_docker_buildkit.solver.input_tree import (
    DOCKERFILE,
    JOB_FILE,
    OUTPUT_LAYOUT,
    ROOT,
    normalize_modes,
)
from pants_docker_buildkit.solver.local_image import find_local_image
from pants_docker_buildkit.solver.lost_builder import build_again_if_lost
from pants_docker_buildkit.solver.profile import BuildSettings, event_path
from pants_docker_buildkit.solver.progress import tell
from pants_docker_buildkit.solver.proxy_args import proxy_build_args
from pants_docker_buildkit.solver.result import BuildResult
from pants_docker_buildkit.solver.session_client import SessionClient
from pants_docker_buildkit.solver.session_socket import NoSessionError, SessionProblemError

BUILD_COMMAND = "build"
CHECK_COMMAND = "check-engine"
RUN_COMMAND = "run"

_LOCAL_OUTPUT = "The output 'docker'"

# What a credential helper says of a registry that it has nothing for, to the letter.
_NO_CREDENTIALS = "credentials not found in native keychain"


def main(session_directory: str, command: str, *arguments: str) -> int:
    """Run one command in the working directory. Gives the exit code of the process."""
    session = SessionClient(Path(session_directory))
    try:
        if command == BUILD_COMMAND:
            print(_build(session, *arguments))
        elif command == RUN_COMMAND:
            _run(session, *arguments)
        elif command == HELPER_COMMAND:
            return _give_credentials(session, *arguments)
        else:
            print(_check_engine(session, *arguments))
    except NoSessionError:
        return EXIT_NO_SESSION
    except OSError as e:
        if not session.directory.exists():
            return EXIT_NO_SESSION
        print(f"Building needs to use {e.filename}: {e.strerror}.", file=sys.stderr)
        return EXIT_FAILED
    except (SessionProblemError, SolverError) as e:
        print(e, file=sys.stderr)
        return EXIT_FAILED
    return 0


def _build(session: SessionClient, build_key: str, generation: str) -> str:
    """Build the job in the working directory, and say which image it gave."""
    inputs = Path.cwd() / ROOT
    settings = session.settings(build_key)
    docker = _docker(session)
    job = parse_job((inputs / JOB_FILE).read_bytes())
    # Before anything is asked of a builder: without all of its secrets, the build would fail.
    secrets = session.secrets(build_key) if settings.secrets else ()
    normalize_modes(inputs)

    def build() -> BuildResult:
        with _workplace(job, settings, docker, session, inputs) as place:
            return build_image(job, settings, replace(place, secrets=secrets))

    def prepare_again(lost: BuilderLostError) -> None:
        again = f"{settings.target} is built again: {lost.name} was lost ({lost.finding})."
        tell(session.directory, again)
        forget_builders(session.directory)
        shutil.rmtree(inputs.parent / OUTPUT_LAYOUT, ignore_errors=True)

    result = build_again_if_lost(build, prepare_again).to_json()
    event_path(session.directory, build_key, int(generation)).write_text(result)
    return result


def _check_engine(session: SessionClient, _generation: str, reference: str, *tags: str) -> str:
    """Whether the local engine has an image, which then gets these tags."""
    docker = _docker_itself(session, _LOCAL_OUTPUT)
    return find_local_image(docker, reference, tags).value


def _run(session: SessionClient, job: str, *arguments: str) -> None:
    """Become a container of the job."""
    docker = _docker_itself(session, "Running an image")
    run_container(docker, parse_container_job(job), arguments, session)


def _give_credentials(session: SessionClient, action: str = "get") -> int:
    """Be a credential helper of Docker's, for the configuration that Docker was given.

    https://github.com/docker/docker-credential-helpers#development
    """
    server = sys.stdin.read().strip()
    config = Path(os.environ["DOCKER_CONFIG"])
    repository = repository_for(server, config) if action == "get" else None
    try:
        found = None if repository is None else session.credentials(*repository)
    except SessionProblemError as e:
        print(e)
        return EXIT_FAILED
    secret = found and (found.identity_token or found.password)
    if found is None or not secret:
        print(_NO_CREDENTIALS)
        return EXIT_FAILED
    username = "<token>" if found.identity_token else found.username
    print(json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))
    return 0


def _docker(session: SessionClient) -> DockerCli:
    profile = session.profile()
    environment = dict(profile.environment)
    context = chosen_context(environment)
    if context is not None:
        # Whatever configuration `docker` gets to see.
        environment["DOCKER_CONTEXT"] = context
    return DockerCli.find(environment, profile.docker)


def _docker_itself(session: SessionClient, what: str) -> DockerCli:
    """The Docker CLI, on an engine, for what a stand-alone buildx cannot do."""
    try:
        docker = _docker(session)
    except DockerNotFoundError as e:
        raise DockerCliNeededError(what, e.search_path) from e
    if docker.is_standalone_buildx:
        raise DockerCliNeededError(what, docker.search_path)
    return docker.with_environment(engine_environment(docker.environment))


def _proxies(job: BuildJob, session: SessionClient, inputs: Path) -> tuple[tuple[str, str], ...]:
    dockerfile = (inputs / DOCKERFILE).read_text("utf-8", "replace")
    environment = dict(session.profile().environment)
    return proxy_build_args(environment, job.definition, dockerfile)


@contextmanager
def _workplace(
    job: BuildJob,
    settings: BuildSettings,
    docker: DockerCli,
    session: SessionClient,
    inputs: Path,
) -> Iterator[Workplace]:
    output = job.definition.output
    if output == "docker" and docker.is_standalone_buildx:
        raise DockerCliNeededError(_LOCAL_OUTPUT, docker.search_path)
    with tempfile.TemporaryDirectory(prefix="pdb-") as directory:
        scratch = Path(directory)
        repositories = build_repositories(job, settings)
        docker = docker.with_environment({"BUILDX_METADATA_PROVENANCE": "max", "NO_COLOR": "1"})
        docker = with_private_config(docker, session.directory, scratch / "docker", repositories)
        chosen = _choose(docker, settings, session.directory)
        docker, builder = chosen.docker, chosen.builder
        if builder.is_docker_engine:
            docker = docker.with_environment(engine_environment(docker.environment))
            if builder.endpoint != DEFAULT_CONTEXT:
                # buildx uses the builder of a context only where that is the current one.
                docker = docker.at_engine(builder.endpoint)
        if builder.is_docker_engine and not builder.has_containerd_store:
            raise ContainerdStoreError(output)
        proxies = _proxies(job, session, inputs) if settings.passes_proxies else ()
        place = Workplace(docker, builder, chosen.name, inputs, scratch, session)
        place = replace(place, proxies=proxies, own_buildx_config=chosen.own_buildx_config)
        if builder.is_docker_engine and output == "registry":
            engine = Engine(engine_host(docker, builder), builder.name)
            with bridged_builder(docker, engine, scratch) as bridged:
                yield replace(place, docker=bridged, builder_name=BUILDER_NAME)
        else:
            yield place


def _choose(docker: DockerCli, settings: BuildSettings, session: Path) -> ChosenBuilder:
    if settings.described_builder is not None:
        return choose_described_builder(docker, settings.described_builder, session)
    builder = choose_builder(docker, settings.builder, session)
    return ChosenBuilder(docker, builder, settings.builder)
