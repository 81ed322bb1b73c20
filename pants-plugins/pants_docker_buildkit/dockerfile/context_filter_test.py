from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.dockerfile.context_filter import select_context
from pants_docker_buildkit.dockerfile.ignorefile import parse_ignore_file
from pants_docker_buildkit.dockerfile.patterns import InvalidPatternError, parse_patterns


def entry(text: str) -> ContextEntry:
    """`path` for a file, `path/` for a directory, `path -> target` for a link."""
    if text.endswith("/"):
        return DirectoryEntry(text[:-1])
    path, arrow, target = text.partition(" -> ")
    return SymlinkEntry(path, target) if arrow else FileEntry(path, "0" * 64, 1)


def text(selected: ContextEntry) -> str:
    if isinstance(selected, DirectoryEntry):
        return f"{selected.path}/"
    return (
        selected.path
        if isinstance(selected, FileEntry)
        else f"{selected.path} -> {selected.target}"
    )


def select(tree: str, ignore_file: str) -> list[str]:
    patterns = parse_patterns(parse_ignore_file("\n".join(ignore_file.split(";")).encode()))
    return [text(each) for each in select_context(map(entry, tree.split(", ")), patterns)]


@pytest.mark.parametrize(
    ("tree", "ignore_file", "context"),
    [
        pytest.param("b, a/x, a/", "", ["a/x", "b"], id="everything, sorted"),
        pytest.param("a/x, a/y, b", "a", ["b"], id="directory"),
        pytest.param("a/x, b", "a/*", ["a/", "b"], id="all in a directory leaves it empty"),
        pytest.param("a/x, b/", "**/x", ["a/", "b/"], id="empty directories stay"),
        pytest.param("a/b/c/x", "a/b/c", ["a/b/"], id="parent of an excluded directory stays"),
        pytest.param("a/, b/", "a", ["b/"], id="empty directory is excluded"),
        pytest.param("a/x, a/y", "a;!a/x", ["a/x"], id="exception in an excluded directory"),
        pytest.param("a/x, a/y", "*;!a/x", ["a/x"], id="exception to everything"),
        pytest.param("a/b/, a/y", "a;!a/b", ["a/b/"], id="empty directory is an exception"),
        pytest.param("a/x, b", "a;!**/y", ["b"], id="excluded directory without exceptions goes"),
        pytest.param("a/x, a/y", "a/x;!a", ["a/y"], id="exception on a parent comes too late"),
        pytest.param("a/x, a/y", "a;!a", ["a/x", "a/y"], id="exception to the same directory"),
        pytest.param("a/x, a/y", "!a/x;a", [], id="order counts"),
        pytest.param("a -> b, b/x", "b", ["a -> b"], id="link stays when its target goes"),
        pytest.param("a -> b, b/x", "a", ["b/x"], id="target stays when its link goes"),
        pytest.param(".git/x, .env, a", ".*", ["a"], id="dot files"),
        pytest.param(
            "foo.txt/x, foo.py", "*.txt", ["foo.py"], id="directory matches a file's glob"
        ),
        pytest.param("a b, [x], é", "a b;\\[x\\];é", [], id="odd names"),
        pytest.param(
            ".dockerignore, Dockerfile, a", "*;!a", ["a"], id="Dockerfile is no exception"
        ),
        pytest.param("a, b", "/a/;b/", [], id="slashes around mean nothing"),
        pytest.param("a, b/a", "a", ["b/a"], id="pattern without slash is not for all depths"),
    ],
)
def test_context_is_what_buildkit_sees(tree: str, ignore_file: str, context: list[str]) -> None:
    assert select(tree, ignore_file) == context


def test_pattern_tried_on_no_parent_decides_for_the_path_alone() -> None:
    # `!a` was not tried on `a`, since nothing had excluded it, and does not match `a/x`. Asked one
    # by one, each with the parents of the path, the patterns would say that `a/x` is included.
    assert select("a/x, a/y", "a/x;!a") == ["a/y"]
    # The second `a` was not tried on `a`, since the first had excluded it.
    assert select("a/x, a/y", "a;!a/x;a") == ["a/x"]


def test_filter_applied_twice_changes_nothing() -> None:
    # BuildKit filters a named context again, by the `.dockerignore` that may still lie in it.
    ignore_file = "a;!a/x;**/y;!b/y/z"
    once = select("a/x, a/y, b/y/z, b/y/w, c/", ignore_file)
    assert select(", ".join(once), ignore_file) == once == ["a/x", "b/y/z", "c/"]


def test_pattern_that_no_path_comes_to_does_no_harm() -> None:
    assert select("a, b", "!\\y;b") == ["a"]
    with pytest.raises(InvalidPatternError):
        select("a, b", "b;!\\y")


def test_entries_may_come_in_any_order() -> None:
    tree = ["a/b/x", "a/", "a/b/y", "c", "a/d/"]
    expected = ["a/b/x", "a/d/", "c"]
    assert select(", ".join(tree), "**/y") == select(", ".join(reversed(tree)), "**/y") == expected


def test_a_large_context_is_filtered_by_many_patterns() -> None:
    patterns = [
        *("**/*.pyc", "**/__pycache__", ".git", "**/node_modules", "*.log", "**/*.log"),
        *("!**/keep.log", "build/**", "docs/*.md", "!docs/README.md", "**/.DS_Store"),
        *("test/*/fixtures", "**/*.tmp", "**/coverage*", "!important/**", "**/.idea/**"),
        *("a/b/*/c", "**/[Tt]humbs.db", "*.swp", "**/*.orig"),
    ]
    entries = [
        FileEntry(f"src/{n % 40}/package{n % 900}/module{n}.{ext}", "0" * 64, n)
        for n in range(12500)
        for ext in ("py", "pyc", "txt", "js")
    ]
    selected = select_context(entries, parse_patterns(patterns))
    assert len(selected) == 37500
