"""Which registries are configured?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.base.build_environment import get_buildroot
from pants.engine.rules import Rule, collect_rules

from pants_docker_buildkit.compat import implicitly, rule
from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.oci.reference import InvalidNameError, parse_registry
from pants_docker_buildkit.registry.accounts import Account
from pants_docker_buildkit.registry.secret_source import InvalidSecretSourceError, SecretSource
from pants_docker_buildkit.registry.settings import RegistrySettings, TlsSettings
from pants_docker_buildkit.solver.profile import RegistryHints
from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.util_rules.docker_environment import (
    DockerEnvironmentRequest,
    resolve_docker_environment,
)
from pants_docker_buildkit.util_rules.option_paths import option_path

_KNOWN_SETTINGS = {
    "address",
    "default",
    "repository",
    "insecure",
    "ca_file",
    "cert_file",
    "key_file",
    "username",
    "password",
    "repositories",
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
    certificate_file: str | None = None
    key_file: str | None = None
    account: Account | None = None
    skips_push: bool = False
    extra_image_tags: tuple[str, ...] = ()
    uses_local_alias: bool = False

    @property
    def settings(self) -> RegistrySettings:
        """How to reach it."""
        tls = TlsSettings(self.ca_file, self.certificate_file, self.key_file)
        return RegistrySettings(self.is_insecure, tls)

    @property
    def hints(self) -> RegistryHints:
        """How a build process reaches it."""
        return RegistryHints(
            address=self.address,
            is_insecure=self.is_insecure,
            ca_file=self.ca_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
        )


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


@dataclass(frozen=True)
class ConfiguredRegistriesRequest:
    """Asks for the registries of the options."""


@rule(desc="Read configured registries")
async def read_configured_registries(
    _: ConfiguredRegistriesRequest, subsystem: DockerBuildKitSubsystem
) -> ConfiguredRegistries:
    environment = await resolve_docker_environment(DockerEnvironmentRequest(), **implicitly())
    home = dict(environment.variables).get("HOME", "")
    return ConfiguredRegistries(
        tuple(_read(alias, entry, home) for alias, entry in sorted(subsystem.registries.items()))
    )


def _read(alias: str, entry: Any, home: str) -> ConfiguredRegistry:
    option = f"registries.{alias}"
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        # Values are not repeated: one of them may be a password.
        keys = ", ".join(map(repr, entry)) if isinstance(entry, dict) else ""
        finding = f"only has {keys}" if keys else "has none"
        raise InvalidOptionError(option, 'have an `address`, such as "localhost:5000"', finding)
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
        ca_file=_file(option, entry, "ca_file", home),
        certificate_file=_file(option, entry, "cert_file", home),
        key_file=_file(option, entry, "key_file", home),
        account=_account(option, entry, alias, address),
        skips_push=bool(_boolean(option, entry, "skip_push")),
        extra_image_tags=_texts(option, entry, "extra_image_tags"),
        uses_local_alias=bool(_boolean(option, entry, "use_local_alias")),
    )


def _account(option: str, entry: Mapping[str, Any], alias: str, registry: str) -> Account | None:
    values = {key: entry[key] for key in ("username", "password") if key in entry}
    if not values:
        if "repositories" in entry:
            requirement = "stand beside `username` and `password`, which it is about"
            raise InvalidOptionError(f"{option}.repositories", requirement, "it stands alone")
        return None
    for key in ("username", "password"):
        if not isinstance(values.get(key), str) or not values[key]:
            other = "password" if key == "username" else "username"
            raise InvalidOptionError(f"{option}.{key}", f"be a text beside `{other}`", "is none")
    return Account(
        name=alias,
        registry=registry,
        username=_username(values["username"]),
        password=_source(f"{option}.password", values["password"]),
        repositories=tuple(each.strip("/") for each in _texts(option, entry, "repositories")),
    )


def _username(text: str) -> str | SecretSource:
    try:
        return _from_buildroot(SecretSource.parse(text))
    except InvalidSecretSourceError:
        return text


def _source(option: str, text: str) -> SecretSource:
    try:
        return _from_buildroot(SecretSource.parse(text))
    except InvalidSecretSourceError as e:
        finding = "is something else, which is not shown here because it may be the password"
        raise InvalidOptionError(option, e.requirement, finding) from e


def _from_buildroot(source: SecretSource) -> SecretSource:
    return source.below(Path(get_buildroot()))


def _file(option: str, entry: Mapping[str, Any], key: str, home: str) -> str | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidOptionError(f"{option}.{key}", "be the path of a file", f"is {value!r}")
    return option_path(value, home)


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
