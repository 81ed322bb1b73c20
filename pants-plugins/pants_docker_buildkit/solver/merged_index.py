"""Read the index that buildx merged from what several nodes built and pushed."""

from __future__ import annotations

from pants_docker_buildkit.oci.content import verify_content
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import BuildFailedError


def read_merged_index(
    docker: DockerCli, builder: str | None, repository: str, digest: OciDigest
) -> bytes:
    """The bytes that this digest names, as buildx gets them, which pushed them just now."""
    reference = f"{repository}@{digest}"
    by = () if builder is None else ("--builder", builder)
    answer = docker.ask("buildx", "imagetools", "inspect", *by, "--raw", reference)
    if answer.returncode != 0:
        raise BuildFailedError(
            f"The image was pushed, but {reference} cannot be read: {answer.stderr.strip()}."
            " Check that the registry keeps what it accepts, and run this again."
        )
    return verify_content(answer.stdout.encode(), digest)
