"""A builder that a program of the user's hands out for one build, and takes back after it.

The program prints an endpoint and where its certificates lie, never what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pants_docker_buildkit.buildx.builder_description import BuilderDescription
from pants_docker_buildkit.buildx.builder_table import parse_acquired_node
from pants_docker_buildkit.oci.json_object import JsonObject
from pants_docker_buildkit.registry.program_output import ProgramError, run_program
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.solver.errors import BuilderNotReadyError

IMAGE_VARIABLE = "PANTS_DOCKER_BUILDKIT_IMAGE"
"""What the programs know the image by: the address of its target, and its platforms."""

_MEMBERS = ("endpoint", "cacert", "cert", "key")


@contextmanager
def acquire_builder(
    description: BuilderDescription, image: str, environment: Mapping[str, str]
) -> Iterator[BuilderDescription]:
    """The builder that `acquire` gives for an image, until the block ends.

    Raises `BuilderNotReadyError`.
    """
    environment = {**environment, IMAGE_VARIABLE: image}
    printed = _run(description, "acquire", description.acquire, environment)
    try:
        answer = JsonObject.parse(printed)
        node = parse_acquired_node({key: answer.text(key) for key in _MEMBERS if key in answer})
    except ValueError as e:
        raise BuilderNotReadyError(
            description.name,
            'have an `acquire` that prints JSON such as {"endpoint": "tcp://10.0.0.7:1234",'
            ' "cacert": "/run/ca.pem", "cert": "/run/cert.pem", "key": "/run/key.pem"}',
            redact(str(e)),
        ) from e
    try:
        yield replace(description, nodes=(node,), acquire=(), release=())
    finally:
        if description.release:
            assert node.endpoint is not None
            _run(description, "release", (*description.release, node.endpoint), environment)


def _run(
    description: BuilderDescription,
    what: str,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> bytes:
    try:
        done = run_program(command, environment, description.boot_timeout)
    except ProgramError as e:
        finding = f"{command[0]!r} {e.finding}"
    else:
        if done.exit_code == 0:
            return done.printed
        said = done.complaint.decode(errors="replace").strip().splitlines()
        finding = f"it failed with exit code {done.exit_code}"
        finding += f": {redact(said[-1])}" if said else ""
    raise BuilderNotReadyError(description.name, f"have a command `{what}` that succeeds", finding)
