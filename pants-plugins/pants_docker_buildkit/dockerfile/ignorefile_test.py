from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.ignorefile import (
    NO_PATTERNS_IGNORE_FILE,
    IgnoreFileLineTooLongError,
    clean_path,
    ignore_file_candidates,
    named_context_ignore_file,
    parse_ignore_file,
)


@pytest.mark.parametrize(
    ("content", "patterns"),
    [
        pytest.param(b"", (), id="empty"),
        pytest.param(b"a\nb", ("a", "b"), id="last line without end"),
        pytest.param(b"a\r\nb\r\n", ("a", "b"), id="windows line ends"),
        pytest.param(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ("a", "\ufeffb"), id="byte order mark"),
        pytest.param(b"#a\n#\n", (), id="comments"),
        pytest.param(b" #a\na#b\n\\#c\n", ("#a", "a#b", "\\#c"), id="comments start a line"),
        pytest.param(b"\n  \n\t\n\xc2\xa0\n", (), id="blank lines"),
        pytest.param(b" a b \t\n\xe2\x80\x83c\xc2\xa0\n", ("a b", "c"), id="white space"),
        pytest.param(b"\x1ca\x1f\n", ("\x1ca\x1f",), id="what only Python calls white space"),
        pytest.param(b"/\n/a\n//a\n/a/b\n", ("/", "a", "a", "a/b"), id="leading slashes"),
        pytest.param(b"a/\na//\nb/c/\n", ("a", "a", "b/c"), id="trailing slashes"),
        pytest.param(
            b"./a\na/./b\na/../b\n../a\n.\n/..\n", ("a", "a/b", "b", "../a", ".", "/"), id="dots"
        ),
        pytest.param(b"!a\n! a\n!/a/\n!a/../b\n", ("!a", "!a", "!a", "!b"), id="exceptions"),
        pytest.param(b"!\n! \n!!a\n", ("!", "!", "!!a"), id="odd exceptions"),
        pytest.param(b"\\!a\n", ("\\!a",), id="escaped"),
        pytest.param(b"\xff\n", ("\udcff",), id="not UTF-8"),
    ],
)
def test_ignore_file_gives_the_patterns_that_moby_reads(
    content: bytes, patterns: tuple[str, ...]
) -> None:
    assert parse_ignore_file(content) == patterns


def test_ignore_file_that_moby_tests_gives_the_same_patterns() -> None:
    # The file and the result of `ignorefile_test.go` in moby/patternmatcher.
    content = "test1\n/test2\n/a/file/here\n\nlastfile\n# a comment\n! /inverted/abs/path\n!\n! \n"
    assert parse_ignore_file(content.encode()) == (
        *("test1", "test2", "a/file/here", "lastfile", "!inverted/abs/path", "!", "!"),
    )


def test_ignore_file_with_a_line_that_buildkit_cannot_read_is_refused() -> None:
    parse_ignore_file(b"a\n" + b"b" * 65535 + b"\n")
    with pytest.raises(
        IgnoreFileLineTooLongError, match="Line 2 of an ignore file must be shorter"
    ):
        parse_ignore_file(b"a\n" + b"b" * 65536)


def test_file_beside_the_dockerfile_goes_before_the_one_in_the_context() -> None:
    assert ignore_file_candidates("src/app/Dockerfile.prod", "src") == (
        "src/app/Dockerfile.prod.dockerignore",
        "src/.dockerignore",
    )


@pytest.mark.parametrize("context_root", ["", "."])
def test_ignore_file_of_the_repository_root_has_no_folder(context_root: str) -> None:
    assert ignore_file_candidates(None, context_root) == (".dockerignore",)
    assert named_context_ignore_file(context_root) == ".dockerignore"


def test_ignore_file_that_stops_buildkit_from_reading_another_is_not_empty() -> None:
    assert NO_PATTERNS_IGNORE_FILE
    assert parse_ignore_file(NO_PATTERNS_IGNORE_FILE) == ()


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "."),
        ("//a", "/a"),
        ("///a//b/", "/a/b"),
        ("/..", "/"),
        ("a/..", "."),
        ("a/../..", ".."),
    ],
)
def test_path_is_cleaned_as_go_does(path: str, cleaned: str) -> None:
    assert clean_path(path) == cleaned
