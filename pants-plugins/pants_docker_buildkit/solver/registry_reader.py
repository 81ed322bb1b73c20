"""Read what a build pushed, as the session that pushed it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.session_client import SessionClient
from pants_docker_buildkit.solver.session_registries import session_clients


class RegistryReader:
    """The manifests of the first of some repositories, each given as `registry/repository`.

    Nothing is asked before something is read. Its connections close with the `with` block.
    """

    def __init__(self, repositories: Sequence[str], session: SessionClient) -> None:
        self._repositories = repositories
        self._session = session
        self._open = ExitStack()
        self._client: RegistryClient | None = None

    def __enter__(self) -> RegistryReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read_digest(self, digest: OciDigest) -> bytes:
        """The bytes that a digest names, checked against it. Raises `BuildFailedError`."""
        name = ImageReference.parse(self._repositories[0])
        if self._client is None:
            clients = self._open.enter_context(session_clients(self._session, name))
            self._client = clients.client(name.registry, name.repository)
        try:
            _, content = self._client.get_manifest(name.repository, digest)
        except RegistryError as e:
            raise BuildFailedError(f"The image was pushed, but cannot be read: {e}") from e
        return content

    def read(self, descriptor: Descriptor) -> bytes:
        """The bytes that a descriptor names, checked against it. Raises `BuildFailedError`."""
        return descriptor.verify(self.read_digest(descriptor.digest))
