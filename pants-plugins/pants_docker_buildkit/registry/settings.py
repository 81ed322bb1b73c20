"""How a registry is reached: scheme, trust, timeouts; and what becomes of tags there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from pants_docker_buildkit.registry.origin import is_loopback_host, parse_url


@dataclass(frozen=True)
class RegistrySettings:
    """What the options say of one registry. Files are absolute paths.

    With `is_plain_http=None`, a registry on this machine is spoken to in plain HTTP unless it has
    files for TLS, and any other over TLS. `ca_file` is trusted besides the system's authorities.

    With `has_immutable_tags`, no tag is given to an image there that another one may have had.
    Without `has_digest_tags`, images get no tag that names their digest.
    """

    is_plain_http: Optional[bool] = None
    ca_file: Optional[str] = None
    certificate_file: Optional[str] = None
    key_file: Optional[str] = None
    has_immutable_tags: bool = False
    has_digest_tags: bool = True

    def merge(self, other: RegistrySettings) -> RegistrySettings:
        """What two entries say of one registry, which do not contradict each other."""
        return RegistrySettings(
            other.is_plain_http if self.is_plain_http is None else self.is_plain_http,
            self.ca_file or other.ca_file,
            self.certificate_file or other.certificate_file,
            self.key_file or other.key_file,
            self.has_immutable_tags or other.has_immutable_tags,
            self.has_digest_tags and other.has_digest_tags,
        )

    def uses_plain_http(self, registry: str) -> bool:
        """Whether `registry` is spoken to without TLS."""
        if self.is_plain_http is not None:
            return self.is_plain_http
        if self.ca_file or self.certificate_file or self.key_file:
            return False
        return is_loopback_host(parse_url(f"http://{registry}")[0].host)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, and how often it is asked again.

    The waits between attempts double from `first_wait` and vary at random, so that many clients
    that failed together do not come back together. A server that asks for a longer wait than
    `longest_wait` is not waited for. That there are too many requests may be said of one request
    `refusals` times besides, but of all for `longest_refusal` only.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 4
    refusals: int = 10
    first_wait: float = 0.25
    longest_wait: float = 30.0
    longest_refusal: float = 120.0


@dataclass(frozen=True)
class Reach:
    """How servers are reached from here.

    `environment` is what Docker gets of the user's, which names proxies. `registries` are what the
    options say of registries, by address.
    """

    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    registries: tuple[tuple[str, RegistrySettings], ...] = ()
    patience: Patience = Patience()

    def settings(self, registry: str) -> RegistrySettings:
        """What the options say of a registry, of which they may say nothing."""
        return dict(self.registries).get(registry, RegistrySettings())
