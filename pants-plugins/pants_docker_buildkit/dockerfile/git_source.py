"""What does BuildKit call a Git repository, in its source policy?

The counterpart of `dfgitutil.ParseGitRef` and of `llb.Git`: one name for a repository, whether it
is reached by HTTPS or SSH.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from pants_docker_buildkit.dockerfile.analysis import RemoteKind
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind

_SCP_STYLE = re.compile(r"[^@/]+@([^:/]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class GitSource:
    """A repository, a reference in it, and a directory below its root; empty where not named.

    `checksum` is the commit that the reference must be, if the URL says it.
    """

    host: str
    path: str
    reference: str = ""
    subdirectory: str = ""
    checksum: str = ""

    @property
    def identifier(self) -> str:
        """What BuildKit calls it: `git://HOST/PATH#REFERENCE:SUBDIRECTORY`."""
        name = f"git://{self.host}{posixpath.join('/', posixpath.normpath('/' + self.path))}"
        directory = posixpath.normpath(f"/{self.subdirectory}").strip("/")
        if not (self.reference or directory):
            return name
        return f"{name}#{self.reference}{':' if directory else ''}{directory}"

    @property
    def is_pinned(self) -> bool:
        """Whether its content can never be another."""
        return is_commit(self.reference)

    def at(self, commit: str) -> GitSource:
        """The same directory of a commit."""
        return replace(self, reference=commit, checksum="")


def is_commit(text: str) -> bool:
    """Whether `text` is the whole name of a commit, in SHA-1 or SHA-256."""
    return _COMMIT.fullmatch(text) is not None


def parse_git_source(url: str) -> GitSource | None:
    """The repository that BuildKit takes `url` for; `None` where that is no repository's."""
    if remote_kind(url) is not RemoteKind.GIT:
        return None
    scp_style = _SCP_STYLE.fullmatch(url)
    if scp_style is not None and "://" not in url:
        host, path, query, fragment = scp_style.groups(default="")
    else:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        host, path = parts.netloc.rpartition("@")[2], unquote(parts.path)
        query, fragment = parts.query, unquote(parts.fragment)
    reference, _, directory = fragment.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    return GitSource(
        host,
        path.lstrip("/"),
        _named_reference(options) or reference,
        options.get("subdir") or directory,
        options.get("checksum") or options.get("commit") or "",
    )


def _named_reference(options: dict[str, str]) -> str:
    for name, prefix in (("tag", "refs/tags/"), ("branch", "refs/heads/"), ("ref", "")):
        value = options.get(name)
        if value:
            return value if value.startswith(prefix) else f"{prefix}{value}"
    return ""
