"""Find the server that a URL or a registry's name leads to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from pants_docker_buildkit.oci.reference import DOCKER_HUB

DOCKER_HUB_HOST = "registry-1.docker.io"
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST_NAME = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ASCII = "".join(map(chr, range(0x80)))
_PATH_CHARACTERS = "%/:;,@&=+$!'()*[]~"
_CONTROL = re.compile(r"[\x00-\x1F\x7F]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class InvalidUrlError(ValueError):
    """A URL that a server sent is none that we can follow."""


@dataclass(frozen=True)
class Origin:
    """A server: what two URLs must share before one may see the other's credentials."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of_registry(cls, registry: str, *, is_plain_http: bool) -> Origin:
        """The server that answers for `registry`, as an image reference names it."""
        host = DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
        return parse_url(f"{'http' if is_plain_http else 'https'}://{host}/")[0]

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine, so that nobody can listen in between."""
        return is_loopback_host(self.host)

    @property
    def authority(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        return host if is_default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_url(url: str) -> tuple[Origin, str]:
    """The server that `url` leads to, and what to ask of it: path and query.

    Characters that a request cannot hold are escaped, as Go's `net/url` does it for BuildKit.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError as e:
        raise InvalidUrlError("a URL that is malformed") from e
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port is None:
        raise InvalidUrlError("a URL that is neither http nor https")
    if not _is_host(parts.hostname):
        raise InvalidUrlError("a URL whose host is none")
    if _CONTROL.search(url) or _BAD_ESCAPE.search(parts.path) or " " in parts.query:
        raise InvalidUrlError("a URL with characters that no URL may have")
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    query = quote(parts.query, safe=_ASCII)
    return Origin(parts.scheme, parts.hostname, port), f"{path}?{query}" if query else path


def _is_host(text: str) -> bool:
    """Whether `text` can be looked up; Python raises odd errors for some that cannot."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(_HOST_NAME.fullmatch(text))
    return True


def resolve_location(origin: Origin, target: str, location: str) -> tuple[Origin, str]:
    """Where a `Location` or `Link` in the answer to a request leads; it may be relative.

    It is as `http.client` gives headers: each byte is a character.
    """
    escaped = quote(location, safe=_ASCII, encoding="latin-1", errors="replace")
    try:
        url = urljoin(f"{origin}{target}", escaped)
    except ValueError as e:
        raise InvalidUrlError("a URL that is malformed") from e
    return parse_url(url)


def is_loopback_host(host: str) -> bool:
    """Whether `host` is this machine by its usual names and addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
