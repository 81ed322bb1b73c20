"""The configuration of a BuildKit daemon, from settings: `buildkitd.toml`, and flags.

https://docs.docker.com/build/buildkit/toml-configuration/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Optional, Union

_DELETE = "\x7f"

_Value = Union[str, bool, tuple[str, ...], None]


@dataclass(frozen=True)
class ClientKeyPair:
    """The files with which a daemon shows a registry who it is."""

    cert: str
    key: str


@dataclass(frozen=True)
class RegistryConfig:
    """How a daemon reaches the registry `host`. `None` leaves a choice to BuildKit.

    `mirrors` are asked first. `http` is plain HTTP; `insecure` is TLS with any certificate. `ca`
    are files with certificates to trust besides those of the system.
    """

    host: str
    mirrors: tuple[str, ...] = ()
    http: Optional[bool] = None
    insecure: Optional[bool] = None
    ca: tuple[str, ...] = ()
    keypair: tuple[ClientKeyPair, ...] = ()


@dataclass(frozen=True)
class GarbageCollection:
    """How much room a daemon's cache may take. Sizes are bytes, with a unit, or a share."""

    enabled: Optional[bool] = None
    reserved_space: Optional[str] = None
    max_used_space: Optional[str] = None
    min_free_space: Optional[str] = None


@dataclass(frozen=True)
class BuildkitdConfig:
    """What can be set of a daemon. More than this is for a verbatim file."""

    registries: tuple[RegistryConfig, ...] = ()
    gc: GarbageCollection = GarbageCollection()
    entitlements: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it names. buildx gives their content to the daemon."""
        return tuple(
            path
            for registry in self.registries
            for path in (
                *registry.ca,
                *(file for pair in registry.keypair for file in (pair.cert, pair.key)),
            )
        )


def render_buildkitd_config(config: BuildkitdConfig) -> str:
    """TOML that is the same for the same settings."""
    gc = config.gc
    limits = _settings(
        ("gc", gc.enabled),
        ("reservedSpace", gc.reserved_space),
        ("maxUsedSpace", gc.max_used_space),
        ("minFreeSpace", gc.min_free_space),
    )
    lines = ["[worker.oci]", *limits, ""] if limits else []
    for registry in config.registries:
        lines += [*_registry_lines(registry), ""]
    return "\n".join(lines)


def render_buildkitd_flags(config: BuildkitdConfig) -> tuple[str, ...]:
    """What the daemon is started with.

    Entitlements are no matter for the file: unless flags name some, buildx adds one that allows
    `network.host`, and of entitlements a daemon that finds a flag ignores its file.
    """
    return tuple(f"--allow-insecure-entitlement={each}" for each in config.entitlements)


def _registry_lines(registry: RegistryConfig) -> list[str]:
    table = f"registry.{_value(registry.host)}"
    lines = [
        f"[{table}]",
        *_settings(
            ("mirrors", registry.mirrors),
            ("http", registry.http),
            ("insecure", registry.insecure),
            ("ca", registry.ca),
        ),
    ]
    for pair in registry.keypair:
        lines += [f"[[{table}.keypair]]", *_settings(("key", pair.key), ("cert", pair.cert))]
    return lines


def _settings(*settings: tuple[str, _Value]) -> list[str]:
    """A line for each that says something."""
    return [f"{key} = {_value(value)}" for key, value in settings if value not in (None, ())]


def _value(value: _Value) -> str:
    # JSON is TOML here, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")
