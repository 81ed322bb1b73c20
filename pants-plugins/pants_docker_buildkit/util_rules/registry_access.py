"""How does this session talk to registries?"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pants.engine.internals.session import RunId
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.confirmation import ManifestConfirmations
from pants_docker_buildkit.registry.settings import Patience
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.credentials import AccountsRequest, find_accounts
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironmentRequest,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.layout_uploads import LayoutUploads
from pants_docker_buildkit.util_rules.registries import (
    ConfiguredRegistries,
    ConfiguredRegistriesRequest,
    read_configured_registries,
)
from pants_docker_buildkit.util_rules.registry_wait import RegistryWaits
from pants_docker_buildkit.util_rules.tag_moves import TagMoves


class RegistryAccess:
    """What one session asks registries with. Nothing is opened before the first question.

    Threads end and connections close once no session uses it any more.
    """

    def __init__(self, clients: RegistryClients) -> None:
        self.clients = clients
        self.confirmations = ManifestConfirmations(clients.client)
        self.waits = RegistryWaits()
        workers = Workers("registry-publication")
        self.uploads = LayoutUploads(clients.client, workers)
        self.tag_moves = TagMoves(clients.client, workers)
        # Pants tells nobody that it drops what an uncacheable rule gave to an earlier session.
        weakref.finalize(self, _close, self.confirmations, workers, clients)


def _close(
    confirmations: ManifestConfirmations, workers: Workers, clients: RegistryClients
) -> None:
    confirmations.close()
    workers.close()
    clients.close()


class KeptAccess:
    """The access of the session that runs now, in which Pants may run a rule several times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run_id: RunId | None = None
        self._access: RegistryAccess | None = None

    @property
    def current(self) -> RegistryAccess:
        """The access of this session, once it was prepared in it. Raises before there is any."""
        if self._access is None:
            raise LookupError("no access to registries was prepared")
        return self._access

    def of_session(self, run_id: RunId, create: Callable[[], RegistryAccess]) -> RegistryAccess:
        """The access of this session, which is made once."""
        with self._lock:
            if self._access is None or self._run_id != run_id:
                self._run_id, self._access = run_id, create()
            return self._access


def _create_access(
    registries: ConfiguredRegistries,
    accounts: Accounts,
    variables: Mapping[str, str],
    subsystem: DockerBuildKitSubsystem,
) -> RegistryAccess:
    clients = RegistryClients(
        accounts=accounts,
        settings={each.address: each.settings for each in registries.all},
        environment=variables,
        patience=Patience(read_timeout=float(subsystem.registry_timeout)),
    )
    return RegistryAccess(clients)


@dataclass(frozen=True)
class KeptAccessRequest:
    """Asks for the one `KeptAccess` of this Pants process."""


@rule
async def keep_registry_access(_: KeptAccessRequest) -> KeptAccess:
    return KeptAccess()


@dataclass(frozen=True)
class RegistryAccessRequest:
    """Asks for this session's access to registries."""


@rule(desc="Prepare access to registries")
async def prepare_registry_access(
    _: RegistryAccessRequest, subsystem: DockerBuildKitSubsystem, run_id: RunId
) -> RegistryAccess:
    kept = await keep_registry_access(KeptAccessRequest(), **implicitly())
    registries = await read_configured_registries(ConfiguredRegistriesRequest(), **implicitly())
    environment = await resolve_docker_environment(DockerEnvironmentRequest(), **implicitly())
    accounts = (await find_accounts(AccountsRequest(), **implicitly())).accounts
    variables = dict(environment.variables)
    return kept.of_session(
        run_id, lambda: _create_access(registries, accounts, variables, subsystem)
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
