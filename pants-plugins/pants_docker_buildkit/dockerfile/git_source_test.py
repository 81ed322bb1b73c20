"""Identifiers as BuildKit 0.25 gives them when a policy denies them, unless noted."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.git_source import parse_git_source

COMMIT = "0" * 40


@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        ("https://github.com/moby/buildkit.git", "git://github.com/moby/buildkit.git"),
        (
            "https://github.com/moby/buildkit.git#v0.11:docs",
            "git://github.com/moby/buildkit.git#v0.11:docs",
        ),
        ("git@github.com:moby/buildkit.git#v0.11", "git://github.com/moby/buildkit.git#v0.11"),
        (
            "https://github.com/moby/buildkit.git?branch=x&subdir=y",
            "git://github.com/moby/buildkit.git#refs/heads/x:y",
        ),
        ("https://h/a.git?tag=v1", "git://h/a.git#refs/tags/v1"),
        ("https://h/a.git?ref=v1", "git://h/a.git#v1"),
        ("ssh://git@github.com:22/moby/buildkit.git", "git://github.com:22/moby/buildkit.git"),
        ("git://h/a/../b%20c#main:x/../y/", "git://h/b c#main:y"),
        ("https://me:pass@h/a.git#:/x", "git://h/a.git#:x"),
        ("https://h/a.git#main:/", "git://h/a.git#main"),
        (f"https://h/a.git?checksum={COMMIT}#main", "git://h/a.git#main"),
    ],
)
def test_a_repository_has_one_name_however_it_is_reached(url: str, identifier: str) -> None:
    source = parse_git_source(url)
    assert source is not None
    assert source.identifier == identifier


@pytest.mark.parametrize("url", ["https://h/a.tar", "a/b.git", "https://[broken.git", "ftp://h/a"])
def test_what_buildkit_takes_for_no_repository_is_none(url: str) -> None:
    assert parse_git_source(url) is None


def test_only_a_full_commit_pins_a_repository() -> None:
    assert [
        source.is_pinned
        for text in (COMMIT, "0" * 64, COMMIT[:12], "main", "")
        for source in [parse_git_source(f"https://h/a.git#{text}:docs")]
        if source is not None
    ] == [True, True, False, False, False]


def test_a_commit_takes_the_place_of_the_reference_only() -> None:
    source = parse_git_source("https://h/a.git?checksum=abc#main:docs")
    assert source is not None
    assert source.checksum == "abc"
    assert source.at(COMMIT).identifier == f"git://h/a.git#{COMMIT}:docs"
