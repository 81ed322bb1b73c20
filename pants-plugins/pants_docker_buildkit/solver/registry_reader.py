"""Read what a build pushed, with the credentials and settings that buildx has."""

from __future__ import annotations

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import BuildFailedError


class RegistryReader:
    """The manifests of one repository."""

    def __init__(self, docker: DockerCli, repository: str) -> None:
        self._docker = docker
        self._repository = repository

    def read(self, descriptor: Descriptor) -> bytes:
        """The bytes that a descriptor names, checked against it."""
        reference = f"{self._repository}@{descriptor.digest}"
        answer = self._docker.ask("buildx", "imagetools", "inspect", "--raw", reference)
        if answer.returncode != 0:
            raise BuildFailedError(
                f"The image was pushed, but {reference} cannot be read: {answer.stderr.strip()}."
                " Check that the registry keeps what it accepts, and run this again."
            )
        return descriptor.verify(answer.stdout.encode())
