from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.dockerfile.go_characters import InvalidGoRegexpError
from pants_docker_buildkit.dockerfile.go_expression import GoExpression
from pants_docker_buildkit.dockerfile.go_regexp import GoRegexp


@pytest.mark.parametrize(
    ("go", "text", "is_match"),
    [
        pytest.param(r"^a[^/]*$", "abc", True, id="star"),
        pytest.param(r"^a[^/]*$", "ab/c", False, id="star stops at a slash"),
        pytest.param(r"^(.*/)?a$", "x/y/a", True, id="any directories"),
        pytest.param(r"^(.*/)?(.*/)?(.*/)?a$", "x/a", True, id="any directories thrice"),
        pytest.param(r"^a$", "a\n", False, id="end is not before a line end"),
        pytest.param(r"^(.*/)?a$", "x\ny/a", False, id="dot is no line end"),
        pytest.param(r"^[^b]$", "\n", True, id="negated class has the line end"),
        pytest.param(r"^a|b[^/]*$", "xxb", True, id="second alternative has no anchor"),
        pytest.param(r"^a|b$", "ax", True, id="first alternative has no end"),
        pytest.param(r"^a{2}$", "aa", True, id="repeated"),
        pytest.param(r"^a{2,}$", "aaaa", True, id="repeated at least"),
        pytest.param(r"^a{,2}$", "a{,2}", True, id="not a repetition in Go"),
        pytest.param(r"^a{02}$", "a{02}", True, id="leading zero is no repetition"),
        pytest.param(r"^{2}a$", "a", True, id="repeated anchor"),
        pytest.param(r"^\d[^/]*$", "٣", False, id="digits are ASCII"),
        pytest.param(r"^\w$", "é", False, id="words are ASCII"),
        pytest.param(r"^\W$", "é", True, id="not words"),
        pytest.param(r"^[\s]$", "\v", False, id="Go's space has no vertical tab"),
        pytest.param(r"^[[:space:]]$", "\v", True, id="POSIX's space has one"),
        pytest.param(r"^[[:^alpha:]x]$", "1", True, id="negated POSIX class"),
        pytest.param(r"^[[:alpha]$", ":", True, id="unfinished POSIX class"),
        pytest.param(r"^[[^/]*]$", "[[]", True, id="star in a class ends it"),
        pytest.param(r"^[]a]$", "]", True, id="bracket first in a class"),
        pytest.param(r"^[a-]$", "-", True, id="dash last in a class"),
        pytest.param(r"^[\D\d]$", "x", True, id="full class"),
        pytest.param(r"^[^\D\d]$", "x", False, id="empty class"),
        pytest.param(r"^\x61\x{1F600}\141\0$", "a\U0001f600a\0", True, id="escaped code points"),
        pytest.param(r"^\a\f\n\r\t\v$", "\a\f\n\r\t\v", True, id="control characters"),
        pytest.param(r"^\*\.\-\_$", "*.-_", True, id="escaped punctuation"),
        pytest.param(r"^\Qa*(b\E[^/]$", "a*(bc", True, id="quoted"),
        pytest.param(r"^\Qa$", "a$b", True, id="quote without end"),
        pytest.param(r"^\Aa\z$", "a", True, id="positions"),
        pytest.param(r"^a\b[^/]*$", "a.b", True, id="word boundary"),
        pytest.param(r"^a\B[^/]*$", "ab", True, id="no word boundary"),
        pytest.param(r"^a\B[^/]*$", "aé", False, id="word boundaries are ASCII"),
        pytest.param(r"^\pL\p{N}\P{L}[\p{^L}]$", "é٣11", True, id="general categories"),
    ],
)
def test_expression_matches_as_in_go(go: str, text: str, *, is_match: bool) -> None:
    assert (re.match(GoRegexp(go).python, text) is not None) == is_match
    assert GoExpression(go).matches(text) == is_match


@pytest.mark.parametrize(
    ("go", "reason"),
    [
        (r"^[a$", r"missing closing \]"),
        (r"^[]$", r"missing closing \]"),
        (r"^[b-a]$", "invalid character class range: b-a"),
        (r"^[[:foo:]]$", r"invalid character class range: \[:foo:\]"),
        (r"^a|{2}$", "missing argument"),
        (r"^a{2}{3}$", "nested repetition"),
        (r"^[^/]*{3}$", "nested repetition"),
        (r"^(.*/)?{3}$", "nested repetition"),
        (r"^a{1001}$", "invalid repeat count"),
        (r"^a{3,2}$", "invalid repeat count"),
        (r"^\y$", r"invalid escape sequence: \\y"),
        (r"^\8$", r"invalid escape sequence: \\8"),
        (r"^\1$", r"invalid escape sequence: \\1"),
        (r"^\C$", r"invalid escape sequence: \\C"),
        (r"^\é$", r"invalid escape sequence: \\é"),
        (r"^\xg0$", r"invalid escape sequence: \\x"),
        (r"^\x{110000}$", r"invalid escape sequence: \\x"),
        (r"^\p{Greek}$", r"only general categories are supported, not \\p\{Greek\}"),
        (r"^\p{L$", "invalid character class range"),
    ],
)
def test_expression_that_go_refuses_is_refused(go: str, reason: str) -> None:
    with pytest.raises(InvalidGoRegexpError, match=reason):
        GoRegexp(go)


@given(
    st.lists(
        st.sampled_from(
            ["a", "b", "/", "[^/]*", "(.*/)?", ".*", "[ab]", "a{2}", "b{0,2}", "a{1,}", "|", "^"]
        ),
        max_size=9,
    ).map(lambda parts: f"^{''.join(parts)}$"),
    st.text("ab/\n", max_size=9),
)
def test_as_go_does_it_and_by_python_an_expression_matches_the_same(go: str, text: str) -> None:
    try:
        regexp = GoRegexp(go)
    except InvalidGoRegexpError:
        return
    by_python = re.match(regexp.python, text) is not None
    assert GoExpression(go).matches(text) == by_python


@pytest.mark.parametrize(
    ("go", "text"),
    [
        ("^" + "[^/]*a" * 5 + "[^/]*b$", "a" * 250),
        ("^" + "(.*/)?a/" * 6 + "b$", "a/" * 2000),
        ("^" + "a{1,}" * 6 + "b$", "a" * 250),
        ("^x|" + "[^/]*a" * 5 + "b$", "a" * 250),
        ("^" + "(.*/)?[^/]*a[^/]*" * 4 + "b$", "a/aa/" * 100 + "a"),
    ],
)
def test_no_expression_takes_for_ever(go: str, text: str) -> None:
    started = time.process_time()
    assert not GoRegexp(go).matches(text)
    assert GoRegexp(go).matches(f"{text}b")
    assert time.process_time() - started < 2


def test_an_expression_that_is_too_large_to_follow_is_refused() -> None:
    with pytest.raises(InvalidGoRegexpError, match="too large"):
        GoRegexp("^" + "a{1000}" * 30 + "$").matches("a")
