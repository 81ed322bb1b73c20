"""A fake registry, and clients that lose patience with it soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.settings import Patience, Reach, RegistrySettings
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

IMPATIENT = Patience(
    connect_timeout=5.0, read_timeout=0.3, attempts=3, first_wait=0.01, longest_wait=0.5
)

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
    clients = RegistryClients(Reach(patience=IMPATIENT))
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
            patience: Patience = IMPATIENT,
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
