"""Find the proxy, if any, that leads to a server.

Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as Docker and BuildKit do, whose rules are those of
https://pkg.go.dev/golang.org/x/net/http/httpproxy: lower-case names too, loopback never, and
`NO_PROXY` a list of domains, `.domains`, addresses and CIDR ranges, with or without a port, or `*`.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pants_docker_buildkit.registry.origin import Origin, parse_url


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. `authorization` is the value of `Proxy-Authorization`, never printed."""

    origin: Origin
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """The proxy that an environment variable names; without a scheme, plain HTTP is meant."""
        url = text if "://" in text else f"http://{text}"
        parts = urlsplit(url)
        if not parts.username:
            return cls(parse_url(url)[0])
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(parse_url(url)[0], f"Basic {base64.b64encode(pair.encode()).decode()}")


@dataclass(frozen=True)
class Proxies:
    """The proxies that an environment asks for."""

    http: Proxy | None = None
    https: Proxy | None = None
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """The proxies of `environment`, which is the user's, not that of this process."""

        def value(name: str) -> str:
            return environment.get(name.upper()) or environment.get(name) or ""

        http, https = value("http_proxy"), value("https_proxy")
        exceptions = (each.strip().lower() for each in value("no_proxy").split(","))
        return cls(
            Proxy.parse(http) if http else None,
            Proxy.parse(https) if https else None,
            tuple(each for each in exceptions if each),
        )

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy that leads to `origin`; `None` if it is reached directly."""
        proxy = self.https if origin.scheme == "https" else self.http
        if proxy is None or origin.is_loopback:
            return None
        return None if any(_excepts(each, origin) for each in self.exceptions) else proxy


def _excepts(exception: str, origin: Origin) -> bool:
    if exception == "*":
        return True
    name, port = _split_port(exception)
    if port is not None and port != str(origin.port):
        return False
    host = origin.host.lower()
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        domain = name[1:] if name.startswith("*.") else name
        return host == domain or host.endswith(domain if domain[:1] == "." else f".{domain}")


def _split_port(exception: str) -> tuple[str, str | None]:
    if exception.startswith("["):
        name, _, port = exception[1:].partition("]")
        return name, port[1:] or None
    if exception.count(":") == 1:
        name, _, port = exception.partition(":")
        return name, port
    return exception, None
