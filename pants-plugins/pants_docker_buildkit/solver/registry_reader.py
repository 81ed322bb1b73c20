"""Read what a build pushed, as the session that pushed it."""

from __future__ import annotations

from pants_docker_buildkit.oci.descriptor import Descriptor
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
    """The manifests of one repository, given as `registry/repository`."""

    def __init__(self, repository: str, settings: BuildSettings, session: SessionClient) -> None:
        self._reference = ImageReference.parse(repository)
        self._session = session
        self._clients = RegistryClients(
            accounts=Accounts(fallback=self._find_credentials),
            settings={each.address: _reach(each) for each in settings.registries},
            environment=dict(session.profile().environment),
        )

    def read(self, descriptor: Descriptor) -> bytes:
        """The bytes that a descriptor names, checked against it."""
        reference = self._reference
        client = self._clients.client(reference.registry, reference.repository)
        try:
            _, content = client.get_manifest(reference.repository, descriptor.digest)
        except RegistryError as e:
            raise BuildFailedError(f"The image was pushed, but cannot be read: {e}") from e
        return descriptor.verify(content)

    def close(self) -> None:
        """Close its connections."""
        self._clients.close()

    def _find_credentials(self, registry: str) -> Credentials | None:
        try:
            return self._session.credentials(registry, self._reference.repository)
        except SessionProblemError as e:
            raise CredentialsUnavailableError(str(e)) from e


def _reach(hints: RegistryHints) -> RegistrySettings:
    tls = TlsSettings(hints.ca_file, hints.certificate_file, hints.key_file)
    return RegistrySettings(hints.is_insecure, tls)
