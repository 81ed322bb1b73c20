"""Which registries are configured?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pants.base.build_environment import get_buildroot

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.oci.reference import InvalidNameError, read_registry
from pants_docker_buildkit.options.table import InvalidTableError, OptionTable
from pants_docker_buildkit.registry.accounts import Account
from pants_docker_buildkit.registry.secret_source import InvalidSecretSourceError, SecretSource
from pants_docker_buildkit.registry.settings import RegistrySettings
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.docker_environment import resolve_docker_environment
from pants_docker_buildkit.util_rules.option_values import named_entries, option_path

_KNOWN_SETTINGS = {
    "address",
    "default",
    "repository",
    "insecure",
    "ca_file",
    "cert_file",
    "key_file",
    "immutable_tags",
    "digest_tags",
    "username",
    "password",
    "repositories",
    "skip_push",
    "extra_image_tags",
    "use_local_alias",
}


_REACH = MappingProxyType(
    {
        "insecure": "is_plain_http",
        "ca_file": "ca_file",
        "cert_file": "certificate_file",
        "key_file": "key_file",
    }
)
"""The settings that say how a registry is reached, and what they are called here."""


@dataclass(frozen=True)
class ConfiguredRegistry:
    """One entry of `[docker-buildkit.registries]`, or a registry that a target names itself.

    `path` begins all repositories there; it may be empty.
    """

    address: str
    path: str = ""
    alias: str | None = None
    is_default: bool = False
    repository: str | None = None
    settings: RegistrySettings = field(default_factory=RegistrySettings)
    account: Account | None = None
    skips_push: bool = False
    extra_image_tags: tuple[str, ...] = ()
    uses_local_alias: bool = False


@dataclass(frozen=True)
class ConfiguredRegistries:
    """All entries of `[docker-buildkit.registries]`."""

    all: tuple[ConfiguredRegistry, ...]

    @property
    def defaults(self) -> tuple[ConfiguredRegistry, ...]:
        """Where images go that name no registry."""
        return tuple(each for each in self.all if each.is_default)

    @property
    def settings(self) -> Mapping[str, RegistrySettings]:
        """What all entries say of how a registry is reached, by its address."""
        found: dict[str, RegistrySettings] = {}
        for each in self.all:
            known = found.get(each.address)
            found[each.address] = each.settings if known is None else known.merge(each.settings)
        return found

    def find(self, name: str) -> ConfiguredRegistry | None:
        """The registry with the alias `@name`, if there is one, or with the address `name`."""
        if name.startswith("@"):
            return next((each for each in self.all if each.alias == name[1:]), None)
        place = read_registry(name)
        known = (each for each in self.all if (each.address, each.path) == place)
        return next(known, None) or ConfiguredRegistry(*place)


@rule(desc="Read configured registries")
async def read_configured_registries(subsystem: DockerBuildKitSubsystem) -> ConfiguredRegistries:
    environment = await resolve_docker_environment(**implicitly())
    registries = tuple(
        _parse(alias, entry, environment.home)
        for alias, entry in named_entries("registries", subsystem.registries)
    )
    for one, other in combinations(registries, 2):
        _check_agreement(one, other)
    return ConfiguredRegistries(registries)


def _check_agreement(one: ConfiguredRegistry, other: ConfiguredRegistry) -> None:
    """Two entries of one registry, for two accounts or paths, reach it in the same way."""
    if one.address != other.address:
        return
    for name, attribute in _REACH.items():
        value, another = getattr(one.settings, attribute), getattr(other.settings, attribute)
        if None not in (value, another) and value != another:
            requirement = f"be that of `registries.{one.alias}`, which has the same address"
            finding = f"{another!r} is not {value!r}"
            raise InvalidOptionError(f"registries.{other.alias}.{name}", requirement, finding)


def _parse(alias: str, entry: Any, home: str) -> ConfiguredRegistry:
    option = f"registries.{alias}"
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        # Values are not repeated: one of them may be a password.
        keys = ", ".join(sorted(map(repr, entry))) if isinstance(entry, dict) else ""
        finding = f"only has {keys}" if keys else "has none"
        if isinstance(entry, dict) and "address" in entry:
            finding = "it is no text"
        raise InvalidOptionError(option, 'have an `address`, such as "localhost:5000"', finding)
    try:
        return _read(alias, OptionTable(option, entry), home)
    except InvalidTableError as e:
        raise InvalidOptionError(e.setting, e.requirement, e.finding) from e


def _read(alias: str, table: OptionTable, home: str) -> ConfiguredRegistry:
    table.only(_KNOWN_SETTINGS)
    try:
        address, path = read_registry(table.content["address"])
    except InvalidNameError as e:
        raise InvalidTableError(table.at("address"), e.requirement, f"is {e.text!r}") from e
    return ConfiguredRegistry(
        address=address,
        path=path,
        alias=alias,
        is_default=bool(table.boolean("default"))
        or (alias == "default" and not table.has("default")),
        repository=table.text("repository"),
        settings=_settings(table, home),
        account=_account(table, alias, address, path),
        skips_push=bool(table.boolean("skip_push")),
        extra_image_tags=table.texts("extra_image_tags"),
        uses_local_alias=bool(table.boolean("use_local_alias")),
    )


def _settings(table: OptionTable, home: str) -> RegistrySettings:
    return RegistrySettings(
        is_plain_http=table.boolean("insecure"),
        ca_file=_file(table, "ca_file", home),
        certificate_file=_file(table, "cert_file", home),
        key_file=_file(table, "key_file", home),
        has_immutable_tags=bool(table.boolean("immutable_tags")),
        has_digest_tags=table.boolean("digest_tags") is not False,
    )


def _account(table: OptionTable, alias: str, registry: str, path: str) -> Account | None:
    """The account of an entry. By default it is for all that is in the path of its address."""
    username, password = (table.content.get(key) for key in ("username", "password"))
    if username is None and password is None:
        if table.has("repositories"):
            requirement = "stand beside `username` and `password`, which it is about"
            raise InvalidTableError(table.at("repositories"), requirement, "it stands alone")
        return None
    # Values are not repeated: somebody may have written the password as another's.
    for key, value, other in (
        ("username", username, "password"),
        ("password", password, "username"),
    ):
        if not isinstance(value, str) or not value:
            raise InvalidTableError(table.at(key), f"be a text beside `{other}`", "is not")
    return Account(
        name=alias,
        registry=registry,
        username=_username(username),
        password=_password(table.at("password"), password),
        repositories=tuple(each.strip("/") for each in table.texts("repositories"))
        or ((path,) if path else ()),
    )


def _username(text: str) -> str | SecretSource:
    try:
        return _from_buildroot(SecretSource.parse(text))
    except InvalidSecretSourceError:
        return text


def _password(option: str, text: str) -> SecretSource:
    try:
        return _from_buildroot(SecretSource.parse(text))
    except InvalidSecretSourceError as e:
        finding = "is something else, which is not shown here because it may be the password"
        raise InvalidTableError(option, e.requirement, finding) from e


def _from_buildroot(source: SecretSource) -> SecretSource:
    return source.below(Path(get_buildroot()))


def _file(table: OptionTable, key: str, home: str) -> str | None:
    value = table.text(key, "the path of a file")
    return None if value is None else option_path(value, home)
