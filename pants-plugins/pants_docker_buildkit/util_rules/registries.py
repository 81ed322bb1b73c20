"""Which registries are configured, and how does this session talk to them?"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.engine.internals.session import RunId
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.oci.reference import InvalidNameError, parse_registry
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.confirmation import ManifestConfirmations
from pants_docker_buildkit.registry.credentials import DockerConfig
from pants_docker_buildkit.registry.settings import Patience, RegistrySettings, TlsSettings
from pants_docker_buildkit.registry.workers import Workers
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironmentRequest,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.layout_uploads import LayoutUploads
from pants_docker_buildkit.util_rules.registry_wait import RegistryWaits
from pants_docker_buildkit.util_rules.tag_moves import TagMoves

_KNOWN_SETTINGS = {
    "address",
    "default",
    "repository",
    "insecure",
    "ca_file",
    "skip_push",
    "extra_image_tags",
    "use_local_alias",
}


@dataclass(frozen=True)
class ConfiguredRegistry:
    """One entry of `[docker-buildkit.registries]`, or a registry that a target names itself."""

    address: str
    alias: str | None = None
    is_default: bool = False
    repository: str | None = None
    is_insecure: bool | None = None
    ca_file: str | None = None
    skips_push: bool = False
    extra_image_tags: tuple[str, ...] = ()
    uses_local_alias: bool = False

    @property
    def settings(self) -> RegistrySettings:
        """How to reach it."""
        return RegistrySettings(self.is_insecure, TlsSettings(ca_file=self.ca_file))


@dataclass(frozen=True)
class ConfiguredRegistries:
    """All entries of `[docker-buildkit.registries]`."""

    all: tuple[ConfiguredRegistry, ...]

    @property
    def defaults(self) -> tuple[ConfiguredRegistry, ...]:
        """Where images go that name no registry."""
        return tuple(each for each in self.all if each.is_default)

    def find(self, name: str) -> ConfiguredRegistry | None:
        """The registry with the alias `@name`, if there is one, or with the address `name`."""
        if name.startswith("@"):
            return next((each for each in self.all if each.alias == name[1:]), None)
        known = next((each for each in self.all if each.address == name), None)
        return known or ConfiguredRegistry(parse_registry(name))


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


@dataclass(frozen=True)
class ConfiguredRegistriesRequest:
    """Asks for the registries of the options."""


@rule(desc="Read configured registries")
async def read_configured_registries(
    _: ConfiguredRegistriesRequest, subsystem: DockerBuildKitSubsystem
) -> ConfiguredRegistries:
    return ConfiguredRegistries(
        tuple(_read(alias, entry) for alias, entry in sorted(subsystem.registries.items()))
    )


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
    variables = dict(environment.variables)
    return kept.of_session(run_id, lambda: _create_access(registries, variables, subsystem))


def _create_access(
    registries: ConfiguredRegistries,
    variables: Mapping[str, str],
    subsystem: DockerBuildKitSubsystem,
) -> RegistryAccess:
    config = DockerConfig.load(_docker_config_directory(variables), variables)
    clients = RegistryClients(
        find_credentials=config.find,
        settings={each.address: each.settings for each in registries.all},
        environment=variables,
        patience=Patience(read_timeout=float(subsystem.registry_timeout)),
    )
    return RegistryAccess(clients)


def _docker_config_directory(environment: Mapping[str, str]) -> Path:
    default = os.path.join(environment.get("HOME", ""), ".docker")
    return Path(environment.get("DOCKER_CONFIG") or default)


def _read(alias: str, entry: Any) -> ConfiguredRegistry:
    option = f"registries.{alias}"
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        raise InvalidOptionError(
            option, 'have an `address`, such as "localhost:5000"', f"is {entry!r}"
        )
    unknown = sorted(set(entry) - _KNOWN_SETTINGS)
    if unknown:
        known = ", ".join(sorted(_KNOWN_SETTINGS))
        raise InvalidOptionError(option, f"only have the settings {known}", f"has {unknown[0]!r}")
    try:
        address = parse_registry(entry["address"])
    except InvalidNameError as e:
        raise InvalidOptionError(f"{option}.address", e.requirement, f"is {e.text!r}") from e
    return ConfiguredRegistry(
        address=address,
        alias=alias,
        is_default=_boolean(option, entry, "default")
        or (alias == "default" and "default" not in entry),
        repository=entry.get("repository"),
        is_insecure=_boolean(option, entry, "insecure"),
        ca_file=entry.get("ca_file"),
        skips_push=bool(_boolean(option, entry, "skip_push")),
        extra_image_tags=_texts(option, entry, "extra_image_tags"),
        uses_local_alias=bool(_boolean(option, entry, "use_local_alias")),
    )


def _texts(option: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise InvalidOptionError(
            f"{option}.{key}", 'be a list of texts, as ["1.0"]', f"is {value!r}"
        )
    return tuple(value)


def _boolean(option: str, entry: Mapping[str, Any], key: str) -> bool | None:
    value = entry.get(key)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value is None or isinstance(value, bool):
        return value
    raise InvalidOptionError(f"{option}.{key}", "be true or false", f"is {value!r}")


def rules() -> Iterable[Rule]:
    return collect_rules()
