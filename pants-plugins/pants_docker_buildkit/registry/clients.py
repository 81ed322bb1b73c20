"""The registries that one session talks to, each through one client."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial

from pants_docker_buildkit.registry.accounts import Accounts, ChosenAccount
from pants_docker_buildkit.registry.authentication import Authentication
from pants_docker_buildkit.registry.channel import Channel
from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.connections import Connections
from pants_docker_buildkit.registry.known_manifests import KnownManifests
from pants_docker_buildkit.registry.origin import Origin
from pants_docker_buildkit.registry.pace import Paces
from pants_docker_buildkit.registry.proxies import Proxies
from pants_docker_buildkit.registry.settings import Reach
from pants_docker_buildkit.registry.transport import Transport


@dataclass(frozen=True)
class RegistryMemory:
    """What sessions learn of registries and the next ones may rely on. Any thread may use it."""

    paces: Paces = field(default_factory=Paces)
    manifests: KnownManifests = field(default_factory=KnownManifests)


class RegistryClients:
    """Gives one client for each account, made on first use; close it when the session ends.

    `memory` is what sessions before learnt. Nothing is opened, and no credential is read, before a
    registry is asked.
    """

    def __init__(
        self,
        reach: Reach | None = None,
        *,
        accounts: Accounts | None = None,
        memory: RegistryMemory | None = None,
    ) -> None:
        self._accounts = accounts or Accounts()
        self._reach = reach or Reach()
        self._proxies = Proxies.from_environment(dict(self._reach.environment))
        self.memory = memory or RegistryMemory()
        self._clients: dict[tuple[str, ChosenAccount | None], RegistryClient] = {}
        self._transports: list[Transport] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def client(self, registry: str, repository: str = "") -> RegistryClient:
        """The client for a repository of `registry`, by the names that image references have."""
        account = self._accounts.choose(registry, repository)
        with self._lock:
            client = self._clients.get((registry, account))
            if client is None:
                client = self._clients[registry, account] = self._create(registry, account)
            return client

    def close(self) -> None:
        """Close all connections; whoever waits for a registry, or asks later, gets an error."""
        with self._lock:
            self._is_closed = True
            transports = list(self._transports)
        for transport in transports:
            transport.close()

    def _create(self, registry: str, account: ChosenAccount | None) -> RegistryClient:
        settings = self._reach.settings(registry)
        origin = Origin.of_registry(registry, is_plain_http=settings.uses_plain_http(registry))
        connections = Connections(settings, self._proxies, self._reach.patience)
        transport = Transport(connections, self._reach.patience, self.memory.paces)
        self._transports.append(transport)
        if self._is_closed:
            transport.close()
        find = partial(self._accounts.find, account=account)
        authentication = Authentication(registry, origin, transport, find)
        channel = Channel(origin, transport, authentication)
        return RegistryClient(registry, channel)
