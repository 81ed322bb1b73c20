"""The program that a build process runs beside buildx.

It starts in the sandbox of the process. It finds in the input tree what to build, and asks the
session how. It prints the `BuildResult`, the only thing that the process cache keeps of an image
that is pushed. It uses only the standard library, because it runs outside of Pants.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pants_docker_buildkit.registry.settings import Patience
from pants_docker_buildkit.remote.web_content import RemoteContentError, WebContents
from pants_docker_buildkit.session.directory import EXIT_NO_SESSION, event_path
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.session.unix_socket import NoSessionError, SessionProblemError
from pants_docker_buildkit.solver.base_triggers import read_base_triggers, render_triggers
from pants_docker_buildkit.solver.build import build_image
from pants_docker_buildkit.solver.build_platforms import find_node_platforms, render_nodes
from pants_docker_buildkit.solver.build_repositories import pushed_names
from pants_docker_buildkit.solver.builder_choice import forget_builders
from pants_docker_buildkit.solver.chosen_docker import chosen_docker, docker_at_engine
from pants_docker_buildkit.solver.container import parse_container_job, run_container
from pants_docker_buildkit.solver.context_times import MEMORY_DIRECTORY, stamp_contexts
from pants_docker_buildkit.solver.credential_program import give_credentials
from pants_docker_buildkit.solver.definition import parse_job
from pants_docker_buildkit.solver.docker_config import HELPER_COMMAND
from pants_docker_buildkit.solver.dockerfile_checks import check_dockerfile
from pants_docker_buildkit.solver.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_SOURCE_CHANGED,
    BuilderLostError,
    SolverError,
    SourceChangedError,
)
from pants_docker_buildkit.solver.failure import fit_to_print
from pants_docker_buildkit.solver.input_tree import (
    JOB_FILE,
    OUTPUT_LAYOUT,
    ROOT,
    name_context,
    normalize_modes,
)
from pants_docker_buildkit.solver.lost_builder import build_again_if_lost
from pants_docker_buildkit.solver.moves import move_tags
from pants_docker_buildkit.solver.progress import tell
from pants_docker_buildkit.solver.result import BuildResult
from pants_docker_buildkit.solver.terminal import never_stop, take_terminal
from pants_docker_buildkit.solver.upload import upload_layout
from pants_docker_buildkit.solver.workplace import choose_for_build, open_workplace

BUILD_COMMAND = "build"
LINT_COMMAND = "lint"
CHECKSUM_COMMAND = "checksum"
PLATFORMS_COMMAND = "platforms"
TRIGGERS_COMMAND = "triggers"
UPLOAD_COMMAND = "upload"
MOVE_COMMAND = "move"
RUN_COMMAND = "run"


def main(session_directory: str, command: str, *arguments: str) -> int:
    """Run one command in the working directory. Gives the exit code of the process."""
    session = SessionClient(Path(session_directory))
    try:
        if command == HELPER_COMMAND:
            return give_credentials(session, *arguments)
        if command == MOVE_COMMAND:
            return move_tags(session, *arguments)
        if command == RUN_COMMAND:
            _run(session, *arguments)
        never_stop()
        print(_ANSWERS[command](session, *arguments))
    except KeyboardInterrupt:
        # Of the user, at a terminal that we share: everybody knows.
        return EXIT_INTERRUPTED
    except NoSessionError:
        return EXIT_NO_SESSION
    except OSError as e:
        if not session.directory.exists():
            return EXIT_NO_SESSION
        # What cannot be written to has no name, and is in one of these.
        where = e.filename or f"{session.directory.resolve()} or {Path.cwd()}"
        print(f"Building needs to use {where}: {e.strerror or e}.", file=sys.stderr)
        return EXIT_FAILED
    except SourceChangedError as e:
        print(fit_to_print(str(e)), file=sys.stderr)
        return EXIT_SOURCE_CHANGED
    except (RemoteContentError, SessionProblemError, SolverError) as e:
        print(fit_to_print(str(e)), file=sys.stderr)
        return EXIT_FAILED
    return 0


def _build(session: SessionClient, build_key: str, generation: str) -> str:
    """Build the job in the working directory, and say which image it gave."""
    inputs = Path.cwd() / ROOT
    settings = session.settings(build_key)
    docker = chosen_docker(session.profile())
    job = parse_job((inputs / JOB_FILE).read_bytes())
    # Before anything is asked of a builder: without all of its secrets, the build would fail.
    secrets = session.secrets(build_key) if settings.secrets else ()
    for name in pushed_names(job, settings):
        session.rehearse_push(name)
    normalize_modes(inputs)
    name_context(inputs, settings.context_name)
    stamp_contexts(inputs, settings, job, session.directory.parent / MEMORY_DIRECTORY)

    def build() -> BuildResult:
        with open_workplace(job, settings, docker, session, inputs) as place:
            return build_image(job, settings, replace(place, secrets=secrets))

    def prepare_again(lost: BuilderLostError) -> None:
        again = f"{settings.target} is built again: {lost.name} was lost ({lost.finding})."
        tell(session.directory, again)
        forget_builders(session.directory)
        shutil.rmtree(inputs.parent / OUTPUT_LAYOUT, ignore_errors=True)

    started = time.monotonic()
    result = build_again_if_lost(build, prepare_again).to_json()
    event = {"seconds": round(time.monotonic() - started, 1)}
    event_path(session.directory, build_key, int(generation)).write_text(json.dumps(event))
    return result


def _lint(session: SessionClient, key: str) -> str:
    """What BuildKit's checks find in the Dockerfile in the working directory."""
    inputs = Path.cwd() / ROOT
    settings = session.settings(key)
    job = parse_job((inputs / JOB_FILE).read_bytes())
    name_context(inputs, settings.context_name)
    with open_workplace(job, settings, chosen_docker(session.profile()), session, inputs) as place:
        return check_dockerfile(job, settings, place)


def _triggers(session: SessionClient, reference: str, platform: str) -> str:
    """What a base image has builds do that are based on it."""
    return render_triggers(read_base_triggers(session, reference, platform))


def _upload(session: SessionClient, *arguments: str) -> str:
    """Upload the layout in the working directory, and say what came of it."""
    return json.dumps(upload_layout(Path.cwd(), arguments, session))


def _platforms(session: SessionClient, key: str) -> str:
    """Which platforms the nodes of a builder have."""
    chosen = choose_for_build(
        chosen_docker(session.profile()), session.settings(key), session.directory
    )
    return render_nodes(find_node_platforms(chosen))


def _checksum(session: SessionClient, url: str, version: str) -> str:
    """The sha256 of this version of what a URL gives."""
    profile = session.profile()
    patience = Patience(read_timeout=profile.registry_timeout)
    return WebContents(dict(profile.environment), patience).checksum(url, version)


def _run(session: SessionClient, job: str, *arguments: str) -> None:
    """Become a container of the job."""
    take_terminal()
    docker = docker_at_engine(session.profile(), "Running an image")
    run_container(docker, parse_container_job(job), arguments, session)


_ANSWERS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        BUILD_COMMAND: _build,
        CHECKSUM_COMMAND: _checksum,
        LINT_COMMAND: _lint,
        PLATFORMS_COMMAND: _platforms,
        TRIGGERS_COMMAND: _triggers,
        UPLOAD_COMMAND: _upload,
    }
)
"""What the commands print that answer a rule."""
