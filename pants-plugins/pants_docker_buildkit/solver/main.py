"""The program that a build process runs beside buildx.

It starts in the sandbox of the process. It finds in the input tree what to build, and asks the
session how. It prints the `BuildResult`, the only thing that the process cache keeps of an image
that is pushed. It uses only the standard library, because it runs outside of Pants.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pants_docker_buildkit.oci.json_object import InvalidJsonError
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    EXIT_NO_SESSION,
    SERVE_COMMAND,
    UnusableDirectoryError,
)
from pants_docker_buildkit.session.disk_advice import advise
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.session.unix_socket import NoSessionError, SessionProblemError
from pants_docker_buildkit.solver.chosen_docker import chosen_docker, docker_at_engine
from pants_docker_buildkit.solver.docker_config import HELPER_COMMAND
from pants_docker_buildkit.solver.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    OtherVersionError,
    SolverError,
)
from pants_docker_buildkit.solver.failure import fit_to_print
from pants_docker_buildkit.solver.terminal import never_stop, take_terminal

ARCHIVE_COMMAND = "archive"
GIT_TREE_COMMAND = "git-tree"
LINT_COMMAND = "lint"
CHECKSUM_COMMAND = "checksum"
PLATFORMS_COMMAND = "platforms"
SBOM_COMMAND = "sbom"
TEST_COMMAND = "test"
BASE_COMMAND = "base"
UPLOAD_COMMAND = "upload"
MOVE_COMMAND = "move"
RUN_COMMAND = "run"

# Each command imports what only it needs: Python takes longer for that than for the rest.


def main(session_directory: str, command: str, *arguments: str) -> int:
    """Run one command in the working directory. Gives the exit code of the process."""
    session = SessionClient(Path(session_directory))
    try:
        if command in _PROGRAMS:
            return _PROGRAMS[command](session, *arguments)
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
        print(fit_to_print(_say_what_is_unusable(e, session.directory.resolve())), file=sys.stderr)
        return EXIT_FAILED
    except InvalidJsonError as e:
        # All that comes from elsewhere has errors of its own.
        print(fit_to_print(str(OtherVersionError(str(e)))), file=sys.stderr)
        return EXIT_FAILED
    except SolverError as e:
        print(fit_to_print(str(e)), file=sys.stderr)
        return e.exit_code
    except (SessionProblemError, UnusableDirectoryError) as e:
        print(fit_to_print(str(e)), file=sys.stderr)
        return EXIT_FAILED
    return 0


def _say_what_is_unusable(error: OSError, session: Path) -> str:
    finding = error.strerror or str(error)
    # Of a file that was to be replaced, the second name is the one that it has.
    path = error.filename2 or error.filename
    advice = advise(finding, "")
    advice = f" {advice}." if advice else ""
    if not path:
        # What cannot be written to has no name, and is in one of these.
        return f"Building needs to use {session} or {Path.cwd()}: {finding}.{advice}"
    # A sandbox shows the session's directory under a path of its own.
    place = Path(path).parent.resolve() / Path(path).name
    if session.parent in place.parents:
        return str(UnusableDirectoryError(place, finding))
    return f"Building needs to use {place}: {finding}.{advice}"


def _build(session: SessionClient, build_key: str, generation: str) -> str:
    """Build the job in the working directory, and say which image it gave."""
    from pants_docker_buildkit.solver.build_process import run_build

    return run_build(session, chosen_docker(session.profile), build_key, int(generation))


def _give_credentials(session: SessionClient, *arguments: str) -> int:
    """Be a credential helper of Docker's."""
    from pants_docker_buildkit.solver.credential_program import give_credentials

    return give_credentials(session, *arguments)


def _serve(_: SessionClient) -> int:
    """Be the build server of one session after the other."""
    from pants_docker_buildkit.solver.build_server import serve

    serve()
    return 0


def _move(session: SessionClient, key: str) -> int:
    """Have the tags moved that the goal planned."""
    from pants_docker_buildkit.solver.moves import move_tags

    return move_tags(session, key)


def _lint(session: SessionClient, key: str) -> str:
    """What BuildKit's checks find in the Dockerfile in the working directory."""
    from pants_docker_buildkit.solver.dockerfile_checks import run_checks

    return run_checks(session, chosen_docker(session.profile), key)


def _base(session: SessionClient, reference: str, platform: str) -> str:
    """What a base image says to builds that are based on it."""
    from pants_docker_buildkit.solver.base_config import ask_base_config, render_base_config

    return render_base_config(ask_base_config(session, reference, platform))


def _archive(_: SessionClient) -> str:
    """Which image the archive in the working directory holds, which is unpacked there."""
    from pants_docker_buildkit.solver.archived_image import render_archived_image, unpack_archive

    return render_archived_image(unpack_archive(Path.cwd()))


def _sbom(session: SessionClient, reference: str, _scanner: str, *command: str) -> str:
    """What the image of one platform consists of. `_scanner` is in the key only."""
    from pants_docker_buildkit.solver.sbom import scan_image

    return scan_image(session, reference, command)


def _test(session: SessionClient, key: str) -> int:
    """Test the image in the working directory, and say what came of each test."""
    from pants_docker_buildkit.solver.structure_tests import run_structure_tests

    never_stop()
    outcomes, exit_code = run_structure_tests(session, chosen_docker(session.profile), key)
    print(outcomes)
    return exit_code


def _upload(session: SessionClient, *arguments: str) -> str:
    """Upload the layout in the working directory, and say what came of it."""
    from pants_docker_buildkit.solver.upload import upload_layout

    return json.dumps(upload_layout(Path.cwd(), arguments, session))


def _platforms(session: SessionClient, key: str, *platforms: str) -> str:
    """Which platforms the nodes of the builder have that builds for `platforms`."""
    from pants_docker_buildkit.solver.build_platforms import find_node_platforms, render_nodes
    from pants_docker_buildkit.solver.builder_pool import reserve_builder

    docker = chosen_docker(session.profile)
    settings, where = session.settings(key), session.directory
    with reserve_builder(docker, settings, platforms, where, lambda _: None) as chosen:
        return render_nodes(find_node_platforms(chosen))


def _checksum(session: SessionClient, url: str, version: str) -> str:
    """The sha256 of this version of what a URL gives."""
    from pants_docker_buildkit.remote.web_content import RemoteContentError, WebContents

    try:
        return WebContents(session.profile.reach).checksum(url, version)
    except RemoteContentError as e:
        raise SolverError(str(e)) from e


def _git_tree(session: SessionClient, url: str, commit: str, subdirectory: str) -> str:
    """The commit whose files are left in the working directory."""
    from pants_docker_buildkit.remote.git_tree import check_out
    from pants_docker_buildkit.remote.ssh_login import is_ssh
    from pants_docker_buildkit.remote.web_content import RemoteContentError
    from pants_docker_buildkit.solver.input_tree import OUTPUT_TREE

    environment = session.profile.environment
    ssh = session.forwarded_ssh(url) if is_ssh(url) else ()
    try:
        tree = check_out(url, commit, subdirectory, Path.cwd(), environment, ssh)
    except RemoteContentError as e:
        raise SolverError(str(e)) from e
    tree.rename(OUTPUT_TREE)
    return commit


def _run(session: SessionClient, job: str, *arguments: str) -> None:
    """Become a container of the job."""
    from pants_docker_buildkit.solver.container import parse_container_job, run_container

    take_terminal()
    docker = docker_at_engine(session.profile, "Running an image")
    run_container(docker, parse_container_job(job), arguments, session)


_PROGRAMS: Mapping[str, Callable[..., int]] = MappingProxyType(
    {
        HELPER_COMMAND: _give_credentials,
        MOVE_COMMAND: _move,
        SERVE_COMMAND: _serve,
        TEST_COMMAND: _test,
    }
)
"""The commands that say with their exit code what came of them."""

_ANSWERS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        ARCHIVE_COMMAND: _archive,
        BASE_COMMAND: _base,
        BUILD_COMMAND: _build,
        CHECKSUM_COMMAND: _checksum,
        GIT_TREE_COMMAND: _git_tree,
        LINT_COMMAND: _lint,
        PLATFORMS_COMMAND: _platforms,
        SBOM_COMMAND: _sbom,
        UPLOAD_COMMAND: _upload,
    }
)
"""What the commands print that answer a rule."""
