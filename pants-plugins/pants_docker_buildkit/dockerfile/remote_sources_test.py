from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.analysis import RemoteKind
from pants_docker_buildkit.dockerfile.remote_sources import remote_kind


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("https://example.com/a.tar.gz", RemoteKind.HTTP),
        ("http://example.com/", RemoteKind.HTTP),
        ("https://example.com/org/repo.git", RemoteKind.GIT),
        ("https://example.com/org/repo.git#main:sub", RemoteKind.GIT),
        ("https://example.com/org/repo.git?ref=main", RemoteKind.GIT),
        ("git://example.com/repo", RemoteKind.GIT),
        ("ssh://git@example.com/repo", RemoteKind.GIT),
        ("git@example.com:org/repo", RemoteKind.GIT),
        ("ftp://example.com/a", None),
        ("github.com/org/repo", None),
        ("./https://example.com", None),
        ("a.git", None),
        ("user@host", None),
        ("http://[broken", RemoteKind.HTTP),
    ],
)
def test_sources_are_downloaded_by_their_form(source: str, kind: RemoteKind | None) -> None:
    assert remote_kind(source) is kind
