"""A fake registry, and clients that ask it again soon, or also lose patience soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.settings import Patience, Reach, RegistrySettings
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

BRISK = Patience(attempts=3, first_wait=0.01, longest_wait=0.5)
"""For a registry that answers: on a busy machine, that may take a while."""

IMPATIENT = replace(BRISK, read_timeout=0.3)
"""For one that does not."""

ClientFactory = Callable[..., RegistryClient]


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """An empty registry that everybody may use."""
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def other_registry() -> Iterator[FakeRegistry]:
    """A second one, on another port."""
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture
def clients() -> Iterator[RegistryClients]:
    """The clients of a session without accounts."""
    clients = RegistryClients(Reach(patience=BRISK))
    yield clients
    clients.close()


@pytest.fixture
def make_client() -> Iterator[ClientFactory]:
    """Makes a client of a registry with these credentials, settings, environment and patience."""
    with ExitStack() as stack:

        def make(
            address: str,
            credentials: Credentials | None = None,
            settings: RegistrySettings | None = None,
            environment: Mapping[str, str] | None = None,
            patience: Patience = BRISK,
        ) -> RegistryClient:
            clients = RegistryClients(
                Reach(
                    tuple((environment or {}).items()),
                    ((address, settings),) if settings else (),
                    patience,
                ),
                accounts=Accounts(fallback=lambda _: credentials),
            )
            stack.callback(clients.close)
            return clients.client(address)

        yield make


@pytest.fixture
def client(registry: FakeRegistry, make_client: ClientFactory) -> RegistryClient:
    """A client of the first registry that has no credentials."""
    return make_client(registry.address)


@pytest.fixture
def impatient(registry: FakeRegistry, make_client: ClientFactory) -> RegistryClient:
    """One that waits only a moment for an answer."""
    return make_client(registry.address, patience=IMPATIENT)
