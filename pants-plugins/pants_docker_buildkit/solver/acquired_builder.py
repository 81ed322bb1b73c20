"""A builder that a program of the user's hands out for one build, and takes back after it.

The program prints an endpoint and where its certificates lie, never what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pants_docker_buildkit.buildx.builder_description import BuilderDescription
from pants_docker_buildkit.buildx.builder_table import parse_acquired_node
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.errors import BuilderNotReadyError
from pants_docker_buildkit.solver.progress import warn_once

IMAGE_VARIABLE = "PANTS_DOCKER_BUILDKIT_IMAGE"
"""What the programs know the image by: the address of its target, and its platforms."""

_NOT_RELEASED = "A builder may be leased until it expires. The build is as it would be without."
_MEMBERS = ("endpoint", "cacert", "cert", "key")


@contextmanager
def acquire_builder(
    description: BuilderDescription, image: str, environment: Mapping[str, str], session: Path
) -> Iterator[BuilderDescription]:
    """The builder that `acquire` gives for an image, until the block ends.

    Raises `BuilderNotReadyError`. A `release` that fails is a warning: it says nothing of what was
    built, and must not hide why a build failed, or that its builder was lost.
    """
    environment = {**environment, IMAGE_VARIABLE: image}
    printed = _run(description, "acquire", description.acquire, environment)
    with _understood(description):
        answer = JsonObject.parse(printed)
        endpoint = answer.text("endpoint") if "endpoint" in answer else None
    try:
        with _understood(description):
            node = parse_acquired_node({key: answer.text(key) for key in _MEMBERS if key in answer})
        yield replace(description, nodes=(node,), acquire=(), release=())
    finally:
        # Also where the rest of the answer is refused: what has an address is leased.
        if description.release and endpoint:
            try:
                _run(description, "release", (*description.release, endpoint), environment)
            except BuilderNotReadyError as e:
                warn_once(session, f"release {description.name}", f"{e} {_NOT_RELEASED}")


@contextmanager
def _understood(description: BuilderDescription) -> Iterator[None]:
    try:
        yield
    except ValueError as e:
        raise BuilderNotReadyError(
            description.name,
            'have an `acquire` that prints JSON such as {"endpoint": "tcp://10.0.0.7:1234",'
            ' "cacert": "/run/ca.pem", "cert": "/run/cert.pem", "key": "/run/key.pem"}',
            redact(str(e)),
        ) from e


def _run(
    description: BuilderDescription,
    what: str,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> bytes:
    try:
        done = run_program(command, environment, Limits(description.boot_timeout))
    except ProgramError as e:
        finding = f"{command[0]!r} {e.finding}"
    else:
        if done.exit_code == 0:
            return done.printed
        said = done.complaint.decode(errors="replace").strip().splitlines()
        finding = f"it failed with exit code {done.exit_code}"
        finding += f": {redact(said[-1])}" if said else ""
    raise BuilderNotReadyError(description.name, f"have a command `{what}` that succeeds", finding)
