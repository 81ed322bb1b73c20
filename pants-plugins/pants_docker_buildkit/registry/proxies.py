"""Find the proxy, if any, that leads to a server.

Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as Docker and BuildKit do, whose rules are those of
https://pkg.go.dev/golang.org/x/net/http/httpproxy: lower-case names too, loopback never, and
`NO_PROXY` a list of domains, `.domains`, addresses and CIDR ranges, with or without a port, or `*`.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, parse_url


class InvalidProxyError(ValueError):
    """A variable leads to a proxy that cannot be used. The text names it, and not its value."""

    def __init__(self, variable: str, finding: str) -> None:
        super().__init__(
            f"the variable {variable} must name an HTTP proxy, as in 'http://proxy.example:3128',"
            f" but it has {finding}"
        )


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. `authorization` is the value of `Proxy-Authorization`, never printed."""

    origin: Origin
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """The proxy that an environment variable names; without a scheme, plain HTTP is meant.

        Raises `InvalidUrlError`.
        """
        url = text if "://" in text else f"http://{text}"
        origin, _ = parse_url(url)
        parts = urlsplit(url)
        if not parts.username:
            return cls(origin)
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(origin, f"Basic {base64.b64encode(pair.encode()).decode()}")


@dataclass(frozen=True)
class ProxyVariable:
    """A variable that names a proxy, which is understood only where a request would go there."""

    name: str
    value: str = field(repr=False)

    @property
    def proxy(self) -> Proxy:
        """The proxy. Raises `InvalidProxyError`."""
        if self.value.lower().startswith("socks"):
            raise InvalidProxyError(self.name, "a SOCKS proxy")
        try:
            return Proxy.parse(self.value)
        except InvalidUrlError as e:
            raise InvalidProxyError(self.name, str(e)) from e


@dataclass(frozen=True)
class Proxies:
    """The proxies that an environment asks for."""

    http: ProxyVariable | None = None
    https: ProxyVariable | None = None
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """The proxies of `environment`, which is the user's, not that of this process."""

        def variable(name: str) -> ProxyVariable | None:
            found = (each for each in (name, name.lower()) if environment.get(each))
            return next((ProxyVariable(each, environment[each]) for each in found), None)

        excepted = variable("NO_PROXY")
        exceptions = excepted.value.lower().split(",") if excepted else ()
        stripped = (each.strip() for each in exceptions)
        return cls(
            variable("HTTP_PROXY"),
            variable("HTTPS_PROXY"),
            tuple(each for each in stripped if each),
        )

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy that leads to `origin`; `None` if it is reached directly.

        Raises `InvalidProxyError` where it cannot be used.
        """
        variable = self.https if origin.scheme == "https" else self.http
        if variable is None or origin.is_loopback:
            return None
        if any(_excepts(each, origin) for each in self.exceptions):
            return None
        return variable.proxy


def _excepts(exception: str, origin: Origin) -> bool:
    """Whether an entry of `NO_PROXY`, in lower case, is for a server.

    An address is matched by addresses and ranges only, never by the end of its text: its zone is
    any text, chosen by whoever wrote the URL.
    """
    if exception == "*":
        return True
    address = _address(origin.host)
    if exception.partition("/")[2].isdigit():
        with suppress(ValueError):
            return address is not None and address in ipaddress.ip_network(exception, strict=False)
    name, port = _split_port(exception)
    if port and port != str(origin.port):
        return False
    excepted = _address(name) if "%" not in name else None
    if excepted is not None or address is not None:
        return address == excepted
    host = origin.host.lower()
    domain = name[1:] if name.startswith("*.") else name
    return bool(domain) and (
        host == domain or host.endswith(domain if domain[:1] == "." else f".{domain}")
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` is, without its zone, and without the form of IPv6 around an IPv4."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _split_port(exception: str) -> tuple[str, str]:
    """Host and port, as Go splits them; what has no port, or lacks brackets, stays whole."""
    bracketed = re.fullmatch(r"\[([^][]*)\]:([^][:]*)", exception)
    plain = re.fullmatch(r"([^][:]*):([^][:]*)", exception)
    found = bracketed or plain
    return (found[1], found[2]) if found else (exception, "")
