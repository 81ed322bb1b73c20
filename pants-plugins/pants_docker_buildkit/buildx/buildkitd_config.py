"""`buildkitd.toml`, the configuration of a BuildKit daemon, from settings.

https://docs.docker.com/build/buildkit/toml-configuration/
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

_DELETE = "\x7f"


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
    lines = []
    if config.entitlements:
        lines += [f"insecure-entitlements = {_array(config.entitlements)}", ""]
    limits = _garbage_collection(config.gc)
    if limits:
        lines += ["[worker.oci]", *limits, ""]
    for registry in config.registries:
        lines += [*_registry_lines(registry), ""]
    return "\n".join(lines)


def _registry_lines(registry: RegistryConfig) -> list[str]:
    table = f"registry.{_text(registry.host)}"
    lines = [f"[{table}]"]
    if registry.mirrors:
        lines.append(f"mirrors = {_array(registry.mirrors)}")
    if registry.http is not None:
        lines.append(f"http = {_boolean(registry.http)}")
    if registry.insecure is not None:
        lines.append(f"insecure = {_boolean(registry.insecure)}")
    if registry.ca:
        lines.append(f"ca = {_array(registry.ca)}")
    for pair in registry.keypair:
        lines += [f"[[{table}.keypair]]", f"key = {_text(pair.key)}", f"cert = {_text(pair.cert)}"]
    return lines


def _garbage_collection(gc: GarbageCollection) -> list[str]:
    lines = [] if gc.enabled is None else [f"gc = {_boolean(gc.enabled)}"]
    sizes = (
        ("reservedSpace", gc.reserved_space),
        ("maxUsedSpace", gc.max_used_space),
        ("minFreeSpace", gc.min_free_space),
    )
    return lines + [f"{key} = {_text(size)}" for key, size in sizes if size is not None]


def _text(value: str) -> str:
    # A JSON string is a basic string of TOML, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _boolean(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"
