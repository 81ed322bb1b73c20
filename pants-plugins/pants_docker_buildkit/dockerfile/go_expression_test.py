from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.dockerfile.go_characters import InvalidGoRegexpError
from pants_docker_buildkit.dockerfile.go_expression import GoExpression


@pytest.mark.parametrize(
    ("go", "text", "is_match"),
    [
        pytest.param("b", "abc", True, id="anywhere"),
        pytest.param("", "", True, id="empty"),
        pytest.param("^$", "", True, id="nothing"),
        pytest.param("^b", "a\nb", False, id="start of the text"),
        pytest.param("a$", "a\n", False, id="the end is not before a line end"),
        pytest.param("(?m)^b$", "a\nb\nc", True, id="lines"),
        pytest.param("(?m:^b$)c", "b\nc", False, id="flags of a group"),
        pytest.param("a.c", "a\nc", False, id="dot is no line end"),
        pytest.param("(?s)a.c", "a\nc", True, id="dot is all"),
        pytest.param("(?i)straße", "STRAßE", True, id="cases"),
        pytest.param("(?i)[^a]", "A", False, id="a negated class excludes both cases"),
        pytest.param("(?i)a(?-i)b", "AB", False, id="a flag is taken back"),
        pytest.param("((?i)a)b", "AB", False, id="a flag ends with its group"),
        pytest.param("(?P<name>a|b)+c", "xabac", True, id="named group"),
        pytest.param("(?:ab){2,3}$", "ababab", True, id="counted group"),
        pytest.param("^(?:ab){2,3}$", "abababab", False, id="counted too often"),
        pytest.param("a{,2}", "a{,2}", True, id="not a count in Go"),
        pytest.param("(a*)*b", "aaab", True, id="a loop in a loop"),
        pytest.param("(|a)+$", "aa", True, id="an empty alternative"),
        pytest.param("a+?b??c*?", "ab", True, id="as little as possible"),
        pytest.param(r"\Qa.b\E+$", "a.bbb", True, id="quoted"),
        pytest.param(r"\bé", "é", False, id="words are ASCII"),
        pytest.param(r"\B", "", True, id="no boundary in nothing"),
        pytest.param(r"^\S+@\w+\.\pL{2,}$", "a@b.öö", True, id="classes"),
        pytest.param("\U0001f600{2}", "x\U0001f600\U0001f600", True, id="beyond the plane"),
        pytest.param(r"^version \d+\.\d+(-rc\.[0-9]+)?$", "version 1.12-rc.3", True, id="version"),
    ],
)
def test_an_expression_matches_as_in_go(go: str, text: str, *, is_match: bool) -> None:
    assert GoExpression(go).matches(text) == is_match


@pytest.mark.parametrize(
    ("go", "reason"),
    [
        ("(a", r"missing closing \)"),
        ("a)", r"unexpected \)"),
        ("*a", "missing argument"),
        ("a|+", "missing argument"),
        ("(?i)*", "missing argument"),
        ("a**", "invalid nested repetition"),
        ("a++", "invalid nested repetition"),
        ("a{1001}", "invalid repeat count"),
        ("a{3,2}", "invalid repeat count"),
        ("(?=a)", "Perl syntax"),
        ("(?<=a)b", "Perl syntax"),
        (r"(a)\1", "invalid escape sequence"),
        ("a\\", "trailing backslash"),
        ("[a", "missing closing ]"),
        ("((a{100}){100}){100}", "too large"),
        ("(" * 300 + ")" * 300, "too deeply"),
    ],
)
def test_what_go_refuses_is_refused(go: str, reason: str) -> None:
    with pytest.raises(InvalidGoRegexpError, match=reason):
        GoExpression(go)


def test_the_time_is_in_proportion_to_the_text() -> None:
    started = time.process_time()
    assert not GoExpression("(a|aa)+(a*)*[^a]").matches("a" * 50_000)
    assert time.process_time() - started < 5


_EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\b", ""]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@given(_EXPRESSIONS, st.text("ab \n", max_size=6))
def test_what_python_reads_alike_matches_alike(expression: str, text: str) -> None:
    python = (
        expression.replace("$", r"\Z").replace(r"\w", "[0-9A-Za-z_]").replace(r"\b", r"(?a:\b)")
    )
    assert GoExpression(expression).matches(text) == bool(re.search(python, text))
