"""Speak with registries as the session that started this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.session.questions import SessionClient
from pants_docker_buildkit.session.unix_socket import SessionProblemError


@contextmanager
def session_client(session: SessionClient, name: ImageReference) -> Iterator[RegistryClient]:
    """A client for the repository of this name, whose connections close with the block."""

    def find_credentials(registry: str) -> Credentials | None:
        try:
            return session.credentials(registry, name.repository)
        except SessionProblemError as e:
            raise CredentialsUnavailableError(str(e)) from e

    accounts = Accounts(fallback=find_credentials)
    clients = RegistryClients(session.profile.reach, accounts=accounts)
    try:
        yield clients.client(name.registry, name.repository)
    finally:
        clients.close()
