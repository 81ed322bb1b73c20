from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.errors import RegistryError
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry


def test_who_asks_after_the_end_gets_an_error_and_opens_nothing() -> None:
    with FakeRegistry().running() as registry:
        clients = RegistryClients()
        early = clients.client(registry.address)
        clients.close()
        for client in (early, clients.client(registry.address, "app")):
            with pytest.raises(RegistryError, match="the session ended"):
                client.head_manifest("app", "latest")
        assert registry.requests == []
