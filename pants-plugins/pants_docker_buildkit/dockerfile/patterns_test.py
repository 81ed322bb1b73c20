"""The tables are those of `patternmatcher_test.go` in moby/patternmatcher v0.6.1."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.patterns import (
    CompiledPattern,
    IgnorePattern,
    InvalidPatternError,
    PatternKind,
    PatternMatcher,
    compile_pattern,
    parse_patterns,
)

EXACT, PREFIX, SUFFIX, REGEXP = PatternKind


@pytest.mark.parametrize(
    ("pattern", "compiled"),
    [
        ("*", CompiledPattern(REGEXP, r"^[^/]*$")),
        ("file*", CompiledPattern(REGEXP, r"^file[^/]*$")),
        ("a*/b", CompiledPattern(REGEXP, r"^a[^/]*/b$")),
        ("**", CompiledPattern(SUFFIX, "")),
        ("**/**", CompiledPattern(REGEXP, r"^(.*/)?.*$")),
        ("dir/**", CompiledPattern(PREFIX, "dir/")),
        ("dir**", CompiledPattern(PREFIX, "dir")),
        ("**/dir", CompiledPattern(SUFFIX, "/dir")),
        ("**file", CompiledPattern(SUFFIX, "file")),
        ("**/dir2/*", CompiledPattern(REGEXP, r"^(.*/)?dir2/[^/]*$")),
        ("**/dir2/**", CompiledPattern(REGEXP, r"^(.*/)?dir2/.*$")),
        ("**/**/*.txt", CompiledPattern(REGEXP, r"^(.*/)?(.*/)?[^/]*\.txt$")),
        ("a[b-d]e", CompiledPattern(REGEXP, r"^a[b-d]e$")),
        ("abc.def", CompiledPattern(EXACT, "abc.def")),
        ("abc?def", CompiledPattern(REGEXP, r"^abc[^/]def$")),
        ("a.|)$(}+{bc", CompiledPattern(EXACT, "a.|)$(}+{bc")),
        ("a.|)$(}+{b*", CompiledPattern(REGEXP, r"^a\.|\)\$\(}\+{b[^/]*$")),
        ("a\\*b", CompiledPattern(REGEXP, r"^a\*b$")),
        ("a*\\", CompiledPattern(REGEXP, "^a[^/]*\\$")),
        ("\ufeff*", CompiledPattern(REGEXP, r"^[^/]*$")),
        ("\ufeffa", CompiledPattern(EXACT, "\ufeffa")),
    ],
)
def test_pattern_compiles_to_what_moby_compiles_it_to(
    pattern: str, compiled: CompiledPattern
) -> None:
    assert compile_pattern(pattern) == compiled


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("**", "dir/file", True),
        ("**/**", "dir/file", True),
        ("dir/**", "dir", False),
        ("dir/**", "dir/dir2/file", True),
        ("**/dir", "dir", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**file", "dir/dir/file", True),
        ("**/file*", "dir/dir/file.txt", True),
        ("**/**/*.txt2", "dir/dir/file.txt", False),
        ("**/**/*.txt", "file.txt", True),
        ("a**/*.txt", "a/dir/dir/file.txt", True),
        ("a/*.txt", "a/dir/file.txt", False),
        ("a/*.txt**", "a/file.txt", True),
        ("a[b-d]e", "ae", False),
        ("a[b-d]e", "ace", True),
        ("a[^b-d]e", "aze", True),
        (".*", ".foo", True),
        (".*", "foo", False),
        ("abc.def", "abcZdef", False),
        ("a\\\\", "a\\", True),
        ("**/foo/bar", "dir/foo/bar", True),
        ("**/.foo", "bar.foo", False),
        ("a(b)c/def", "a(b)c/def", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "β", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[x\\-]", "-", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ],
)
def test_path_matches_as_in_moby(pattern: str, path: str, *, is_match: bool) -> None:
    assert (PatternMatcher(parse_patterns([pattern])).last_match(path) == 0) == is_match


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "[",
            "[^",
            "[^bc",
            "a[",
            "[]a]",
            "[-]",
            "[x-]",
            "[-x]",
            "[a-b-c]",
            "\\",
            ".*[",
            "*[",
            "?*[",
        )
    ],
)
def test_pattern_that_moby_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPatternError, match="must close its"):
        parse_patterns([pattern])


@pytest.mark.parametrize("pattern", ["!", "! ", "!/"])
def test_exception_to_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPatternError, match="must name a path after '!'"):
        parse_patterns([pattern])


@pytest.mark.parametrize("pattern", ["a*[", "[b-a]", "a*{2}", "\\y*", "[^.]*["])
def test_pattern_that_moby_refuses_late_is_refused_when_a_path_comes_to_it(pattern: str) -> None:
    patterns = parse_patterns([pattern])
    with pytest.raises(InvalidPatternError, match="must be one that BuildKit accepts"):
        PatternMatcher(patterns)


def test_pattern_that_moby_checks_no_further_is_accepted() -> None:
    assert PatternMatcher(parse_patterns(["a*b[-]"])).last_match("ab-") == 0


def test_patterns_keep_their_order_and_their_sign() -> None:
    assert parse_patterns(["a", " ", "!b/", "!!c", "  !d "]) == (
        IgnorePattern("a"),
        IgnorePattern("b", is_exception=True),
        IgnorePattern("!c", is_exception=True),
        IgnorePattern("d", is_exception=True),
    )


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("exact", 0),
        ("prefix/x", 1),
        ("suffix", 2),
        ("x/suffix", 2),
        ("regexp", 3),
        ("a-a-a-a", 4),
        ("regexp/suffix", 2),
        ("both", 6),
        ("x/y/[", -1),
        ("prefix", -1),
        ("xsuffix", -1),
        ("x/regexp", -1),
    ],
)
def test_the_last_pattern_that_matches_is_found(path: str, index: int) -> None:
    patterns = ["exact", "prefix/**", "**/suffix", "reg*", "*a*a*a*a", "bot*", "both"]
    assert PatternMatcher(parse_patterns(patterns)).last_match(path) == index


def test_a_slow_pattern_does_not_hide_a_later_one() -> None:
    patterns = parse_patterns(["*a*a*a*", "b*", "*a*a*a*a", "c"])
    assert [PatternMatcher(patterns).last_match(p) for p in ("aaa", "baaa", "baaaa", "c")] == [
        0,
        1,
        2,
        3,
    ]


def test_without_patterns_nothing_matches() -> None:
    assert PatternMatcher(()).last_match("a") == -1
