"""How a registry is reached: scheme, trust, timeouts."""

from __future__ import annotations

from dataclasses import dataclass, field

from pants_docker_buildkit.registry.origin import is_loopback_host, parse_url


@dataclass(frozen=True)
class TlsSettings:
    """Whom we trust, and who we are, when a connection is encrypted.

    `ca_file` is trusted besides the system's authorities. `is_verified=False` trusts anybody, as
    Docker does for its insecure registries.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    is_verified: bool = True


@dataclass(frozen=True)
class RegistrySettings:
    """What a user may say about one registry.

    With `is_plain_http=None`, a registry on this machine is spoken to in plain HTTP unless it has
    a CA file, and any other over TLS.
    """

    is_plain_http: bool | None = None
    tls: TlsSettings = field(default_factory=TlsSettings)
    upload_chunk_size: int | None = None
    """Blobs are uploaded in chunks of so many bytes; `None` uploads each in one request."""

    def uses_plain_http(self, registry: str) -> bool:
        """Whether `registry` is spoken to without TLS."""
        if self.is_plain_http is not None:
            return self.is_plain_http
        return self.tls == TlsSettings() and is_loopback_host(
            parse_url(f"http://{registry}")[0].host
        )


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, and how often it is asked again.

    The waits between attempts double from `first_wait` and vary at random, so that many clients
    that failed together do not come back together. A server that asks for a longer wait than
    `longest_wait` is not waited for.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 4
    first_wait: float = 0.25
    longest_wait: float = 30.0
