"""What does a URL give: by its name for a version of the content, and by its checksum?

A server that names versions (https://www.rfc-editor.org/rfc/rfc9110#name-validator-fields) can be
asked whether anything changed without downloading it.
"""

from __future__ import annotations

import hashlib
import threading
from urllib.parse import urlsplit

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.registry.connections import Connections
from pants_docker_buildkit.registry.origin import InvalidUrlError, parse_url, resolve_location
from pants_docker_buildkit.registry.proxies import InvalidProxyError, Proxies
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.registry.settings import Reach, RegistrySettings
from pants_docker_buildkit.registry.transport import Request, Response, Transport, TransportError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10


class RemoteContentError(Exception):
    """What a URL or a repository gives cannot be known. Its text says why, without secrets."""


class ContentChangedError(RemoteContentError):
    """A URL gives another version than the one that was asked for."""


class WebContents:
    """Asks web servers as the user's environment says. Any number of threads may share one."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._lock = threading.Lock()
        self._opened: Transport | None = None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def version(self, url: str) -> str:
        """The server's name for what `url` gives now: a strong `ETag`, or else `Last-Modified`.

        Nothing is downloaded. Raises `RemoteContentError`, also where the server names none.
        """
        response = self._open("HEAD", url)
        response.close()
        if response.status != 200 or _version(response) is None:
            # Of signed URLs and of some applications, only GET says anything.
            response = self._open("GET", url)
            response.close()
        if response.status != 200:
            raise RemoteContentError(f"the server answers with HTTP {response.status}")
        version = _version(response)
        if version is None:
            raise RemoteContentError("the server sends neither a strong ETag nor Last-Modified")
        return version

    def checksum(self, url: str, version: str) -> OciDigest:
        """The sha256 of the content that `url` gives, which must be this version.

        Raises `ContentChangedError` where it is another.
        """
        response = self._open("GET", url)
        try:
            if response.status != 200:
                raise RemoteContentError(f"the server answers with HTTP {response.status}")
            if _version(response) != version:
                raise ContentChangedError("its content changed while it was looked at")
            encoding = response.header("Content-Encoding") or "identity"
            if encoding != "identity":
                # BuildKit would add the decoded content, which need not be the same twice.
                raise RemoteContentError(f"the server sends it encoded ({redact(encoding)})")
            content = hashlib.sha256()
            for chunk in response.chunks():
                content.update(chunk)
        except TransportError as e:
            raise RemoteContentError(str(e)) from e
        finally:
            response.close()
        return OciDigest(f"sha256:{content.hexdigest()}")

    def _open(self, method: str, url: str) -> Response:
        """The answer for `url`, after redirections."""
        try:
            transport = self._transport()
            origin, target = parse_url(url)
            for _ in range(_MAX_REDIRECTS):
                response = transport.send(Request(method, origin, target))
                location = response.header("Location")
                if response.status not in _REDIRECTS or not location:
                    return response
                response.close()
                origin, target = resolve_location(origin, target, location)
        except (InvalidUrlError, InvalidProxyError) as e:
            raise RemoteContentError(f"of it, or of what leads to it, there is {e}") from e
        except TransportError as e:
            raise RemoteContentError(str(e)) from e
        raise RemoteContentError(f"the server redirects more than {_MAX_REDIRECTS} times")

    def _transport(self) -> Transport:
        with self._lock:
            if self._opened is None:
                proxies = Proxies.from_environment(dict(self._reach.environment))
                connections = Connections(RegistrySettings(), proxies, self._reach.patience)
                self._opened = Transport(connections, self._reach.patience)
            return self._opened


def has_credentials(url: str) -> bool:
    """Whether `url` carries a password, or a token in the place of a user's name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    is_web = parts.scheme.lower() in ("http", "https")
    return parts.password is not None or (is_web and parts.username is not None)


def _version(response: Response) -> str | None:
    tag = response.header("ETag") or ""
    if tag.startswith('"') and tag.endswith('"') and len(tag) > 2:
        return f"ETag {tag}"
    modified = response.header("Last-Modified")
    return f"Last-Modified {modified}" if modified else None
