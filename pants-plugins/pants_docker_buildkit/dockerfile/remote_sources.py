"""Does a source of `ADD` lie in the build context, on a web server or in a Git repository?

The counterpart of BuildKit's `dfgitutil` and `isHTTPSource`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from pants_docker_buildkit.dockerfile.analysis import RemoteKind

_SCHEME = re.compile(r"([a-zA-Z0-9]+)://")
_SCP_STYLE = re.compile(r"[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:")


def remote_kind(source: str) -> RemoteKind | None:
    """How `source` is downloaded; `None` where it is a path.

    `https://…/x.git` is a repository, and so are `git@host:path`, `git://…` and `ssh://…`.
    """
    scheme = _SCHEME.match(source)
    if scheme is None:
        return RemoteKind.GIT if _SCP_STYLE.match(source) else None
    name = scheme.group(1)
    if name.lower() in ("git", "ssh"):
        return RemoteKind.GIT
    if name.lower() in ("http", "https") and _path(source).endswith(".git"):
        return RemoteKind.GIT
    return RemoteKind.HTTP if name in ("http", "https") else None


def _path(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""
