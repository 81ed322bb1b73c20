"""The program that a build process runs beside buildx.

It starts in the sandbox of the process. It finds in the input tree what to build, and in the
session's directory how. It prints the `BuildResult`, the only thing that the process cache keeps of
an image that is pushed. It uses only the standard library, because it runs outside of Pants.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pants_docker_buildkit.solver.build import Workplace, build_image
from pants_docker_buildkit.solver.builder_choice import choose_builder, engine_host
from pants_docker_buildkit.solver.container import parse_container_job, run_container
from pants_docker_buildkit.solver.definition import BuildJob, parse_job
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.engine_bridge import (
    BUILDER_NAME,
    Engine,
    bridged_builder,
)
from pants_docker_buildkit.solver.engine_search import chosen_context, engine_environment
from pants_docker_buildkit.solver.errors import (
    EXIT_FAILED,
    EXIT_NO_SESSION,
    ContainerdStoreError,
    DockerCliNeededError,
    DockerNotFoundError,
    SolverError,
)
from pants_docker_buildkit.solver.input_tree import JOB_FILE, ROOT, normalize_modes
from pants_docker_buildkit.solver.local_image import find_local_image
from pants_docker_buildkit.solver.profile import (
    PROFILE_FILE,
    BuildSettings,
    event_path,
    parse_profile,
    parse_settings,
    settings_path,
)

BUILD_COMMAND = "build"
CHECK_COMMAND = "check-engine"
RUN_COMMAND = "run"

_LOCAL_OUTPUT = "The output 'docker'"


def main(session_directory: str, command: str, *arguments: str) -> int:
    """Run one command in the working directory. Gives the exit code of the process."""
    session = Path(session_directory)
    try:
        if command == BUILD_COMMAND:
            print(_build(session, *arguments))
        elif command == RUN_COMMAND:
            _run(session, *arguments)
        else:
            print(_check_engine(session, *arguments))
    except OSError as e:
        if session.joinpath(PROFILE_FILE).exists():
            print(f"Building needs to use {e.filename}: {e.strerror}.", file=sys.stderr)
            return EXIT_FAILED
        return EXIT_NO_SESSION
    except SolverError as e:
        print(e, file=sys.stderr)
        return EXIT_FAILED
    return 0


def _build(session: Path, build_key: str, generation: str) -> str:
    """Build the job in the working directory, and say which image it gave."""
    inputs = Path.cwd() / ROOT
    docker = _docker(session)
    settings = parse_settings(settings_path(session, build_key).read_bytes())
    job = parse_job((inputs / JOB_FILE).read_bytes())
    normalize_modes(inputs)
    with _workplace(job, settings, docker, session, inputs) as place:
        result = build_image(job, settings, place).to_json()
    event_path(session, build_key, int(generation)).write_text(result)
    return result


def _check_engine(session: Path, _generation: str, reference: str, *tags: str) -> str:
    """Whether the local engine has an image, which then gets these tags."""
    docker = _docker_itself(session, _LOCAL_OUTPUT)
    return find_local_image(docker, reference, tags).value


def _run(session: Path, job: str, *arguments: str) -> None:
    """Become a container of the job."""
    docker = _docker_itself(session, "Running an image")
    run_container(docker, parse_container_job(job), arguments)


def _docker(session: Path) -> DockerCli:
    profile = parse_profile((session / PROFILE_FILE).read_bytes())
    environment = dict(profile.environment)
    context = chosen_context(environment)
    if context is not None:
        # Whatever configuration `docker` gets to see.
        environment["DOCKER_CONTEXT"] = context
    return DockerCli.find(environment, profile.docker)


def _docker_itself(session: Path, what: str) -> DockerCli:
    """The Docker CLI, on an engine, for what a stand-alone buildx cannot do."""
    try:
        docker = _docker(session)
    except DockerNotFoundError as e:
        raise DockerCliNeededError(what, e.search_path) from e
    if docker.is_standalone_buildx:
        raise DockerCliNeededError(what, docker.search_path)
    return docker.with_environment(engine_environment(docker.environment))


@contextmanager
def _workplace(
    job: BuildJob, settings: BuildSettings, docker: DockerCli, session: Path, inputs: Path
) -> Iterator[Workplace]:
    docker = docker.with_environment({"BUILDX_METADATA_PROVENANCE": "max", "NO_COLOR": "1"})
    output = job.definition.output
    if output == "docker" and docker.is_standalone_buildx:
        raise DockerCliNeededError(_LOCAL_OUTPUT, docker.search_path)
    builder = choose_builder(docker, settings.builder, session)
    if builder.is_docker_engine:
        docker = docker.with_environment(engine_environment(docker.environment))
    if builder.is_docker_engine and not builder.has_containerd_store:
        raise ContainerdStoreError(output)
    with tempfile.TemporaryDirectory(prefix="pdb-") as scratch:
        if builder.is_docker_engine and output == "registry":
            engine = Engine(engine_host(docker, builder), builder.name)
            with bridged_builder(docker, engine, Path(scratch)) as bridged:
                yield Workplace(bridged, builder, BUILDER_NAME, inputs, Path(scratch), session)
        else:
            yield Workplace(docker, builder, settings.builder, inputs, Path(scratch), session)
