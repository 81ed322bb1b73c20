"""Read what a build pushed, as the session that pushed it."""

from __future__ import annotations

from collections.abc import Sequence

from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.credentials import (
    Credentials,
    CredentialsUnavailableError,
)
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.settings import RegistrySettings, TlsSettings
from pants_docker_buildkit.solver.errors import BuildFailedError
from pants_docker_buildkit.solver.profile import BuildSettings, RegistryHints
from pants_docker_buildkit.solver.session_client import SessionClient
from pants_docker_buildkit.solver.session_socket import SessionProblemError


class RegistryReader:
    """The manifests of the first of some repositories, each given as `registry/repository`.

    Nothing is asked before something is read. Its connections close with the `with` block.
    """

    def __init__(
        self, repositories: Sequence[str], settings: BuildSettings, session: SessionClient
    ) -> None:
        self._repositories = repositories
        self._settings = settings
        self._session = session
        self._open: RegistryClients | None = None

    def __enter__(self) -> RegistryReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()

    def read_digest(self, digest: OciDigest) -> bytes:
        """The bytes that a digest names, checked against it. Raises `BuildFailedError`."""
        reference = ImageReference.parse(self._repositories[0])
        client = self._clients().client(reference.registry, reference.repository)
        try:
            _, content = client.get_manifest(reference.repository, digest)
        except RegistryError as e:
            raise BuildFailedError(f"The image was pushed, but cannot be read: {e}") from e
        return content

    def read(self, descriptor: Descriptor) -> bytes:
        """The bytes that a descriptor names, checked against it. Raises `BuildFailedError`."""
        return descriptor.verify(self.read_digest(descriptor.digest))

    def _clients(self) -> RegistryClients:
        if self._open is None:
            self._open = RegistryClients(
                accounts=Accounts(fallback=self._find_credentials),
                settings={each.address: _reach(each) for each in self._settings.registries},
                environment=dict(self._session.profile().environment),
            )
        return self._open

    def _find_credentials(self, registry: str) -> Credentials | None:
        try:
            repository = ImageReference.parse(self._repositories[0]).repository
            return self._session.credentials(registry, repository)
        except SessionProblemError as e:
            raise CredentialsUnavailableError(str(e)) from e


def _reach(hints: RegistryHints) -> RegistrySettings:
    tls = TlsSettings(hints.ca_file, hints.certificate_file, hints.key_file)
    return RegistrySettings(hints.is_insecure, tls)
