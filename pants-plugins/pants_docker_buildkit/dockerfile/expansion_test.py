from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.expansion import (
    MAX_LENGTH,
    MAX_NESTING,
    ExpansionError,
    ExpansionRules,
    expand,
    expand_to_words,
)

VALUES = {"a": "apple", "empty": "", "path": "/opt/app/bin/tool.tar.gz", "two": "x y", "ä": "ok"}
BACKTICK = ExpansionRules(escape="`")


def expanded(word: str, rules: ExpansionRules | None = None) -> str:
    return expand(word, VALUES.get, rules or ExpansionRules()).text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$a", "apple"),
        ("${a}s", "apples"),
        ("$a$a", "appleapple"),
        ("$unset.", "."),
        ("$ä", "ok"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$.", "$."),
        ("$1x", "x"),
        ("$$a", "a"),
        ("${unset:-w}", "w"),
        ("${empty:-w}", "w"),
        ("${empty-w}", ""),
        ("${unset-w}", "w"),
        ("${a:-w}", "apple"),
        ("${a:+w}", "w"),
        ("${empty:+w}", ""),
        ("${empty+w}", "w"),
        ("${unset+w}", ""),
        ("${a:?m}", "apple"),
        ("${empty?m}", ""),
        ("${unset:-${a}}", "apple"),
        ("${unset:-${unset:-${empty:-deep}}}", "deep"),
        ("${unset:-'$a'}", "$a"),
        ('${unset:-"$a"}', "apple"),
        ("${unset:-\\}}", "}"),
        ("${+w}", ""),
        ("${path#*/}", "opt/app/bin/tool.tar.gz"),
        ("${path##*/}", "tool.tar.gz"),
        ("${path%.*}", "/opt/app/bin/tool.tar"),
        ("${path%%.*}", "/opt/app/bin/tool"),
        ("${path%/*/*}", "/opt/app"),
        ("${path#/o?t}", "/app/bin/tool.tar.gz"),
        ("${path#none}", "/opt/app/bin/tool.tar.gz"),
        ("${unset#*}", ""),
        ("${path/app/APP}", "/opt/APP/bin/tool.tar.gz"),
        ("${path//\\//-}", "-opt-app-bin-tool.tar.gz"),
        ("${path/t*l/T}", "/opT.tar.gz"),
        ("${a/p/}", "aple"),
        ("${a//p/}", "ale"),
        ("${a//$unset/-}", "-a-p-p-l-e-"),
    ],
)
def test_variables_expand_as_in_a_shell(word: str, expected: str) -> None:
    assert expanded(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("'$a'", "$a"),
        ('"$a"', "apple"),
        ("\\$a", "$a"),
        ('"\\$a"', "$a"),
        ("'\\$a'", "\\$a"),
        ("\\\\$a", "\\apple"),
        ('"a\\tb"', "a\\tb"),
        ("a\\tb", "atb"),
        ("it\\'s", "it's"),
        ('"it\'s"', "it's"),
        ("'a'\"b\"c", "abc"),
        ("end\\", "end"),
        ("${two}", "x y"),
    ],
)
def test_quotes_and_escapes_are_taken_away(word: str, expected: str) -> None:
    assert expanded(word) == expected


def test_the_escape_may_be_a_backtick() -> None:
    assert expanded("C:\\`$a", BACKTICK) == "C:\\$a"


def test_unset_variables_can_be_kept() -> None:
    rules = ExpansionRules(keeps_unset=True)
    assert expanded("$a $b ${b} ${b:-x} ${b/x/y}", rules) == "apple $b ${b} ${b:-x} ${b/x/y}"


@pytest.mark.parametrize(
    "word",
    [
        "${",
        "${}",
        "${a",
        "${a:",
        "${a:=b}",
        "${a:#b}",
        "${a!}",
        "${.}",
        "${{a}}",
        "${a/b}",
        "${a:-${b}",
        "'a",
        '"a',
        '"a\\"',
        "${a#\\x}",
        "${a#\\}",
    ],
)
def test_what_is_malformed_is_refused(word: str) -> None:
    with pytest.raises(ExpansionError, match="must"):
        expanded(word)


@pytest.mark.parametrize("word", ["${unset?why}", "${unset:?why}", "${empty:?why}"])
def test_a_required_variable_without_value_is_named_with_its_message(word: str) -> None:
    with pytest.raises(ExpansionError, match=r"'(unset|empty)': why"):
        expanded(word)


def test_variables_that_were_asked_for_are_known() -> None:
    expansion = expand("$a ${unset:-$empty} $unset", VALUES.get, ExpansionRules())
    assert expansion.matched == {"a", "empty"}
    assert expansion.unmatched == {"unset"}


def test_variables_nest_only_so_deep() -> None:
    def nested(depth: int) -> str:
        return "${x:-" * depth + "}" * depth

    assert expanded(nested(MAX_NESTING - 1)) == ""
    with pytest.raises(ExpansionError, match=f"deeper than {MAX_NESTING} levels"):
        expanded(nested(100_000))


@pytest.mark.parametrize("word", ["$x$x", '"$x$x"', "${x//a/bb}", "${y:-$x$x}", "${y:-${x}}$x"])
def test_a_word_becomes_only_so_long(word: str) -> None:
    values = {"x": "a" * (MAX_LENGTH - 1)}
    with pytest.raises(ExpansionError, match=f"longer than {MAX_LENGTH} characters"):
        expand(word, values.get, ExpansionRules())
    assert expand("$x", values.get, ExpansionRules()).text == values["x"]


@pytest.mark.parametrize("word", ["\ufeffa", "\ufeff$a"])
def test_a_byte_order_mark_before_a_word_is_dropped(word: str) -> None:
    assert expanded(word) in ("a", "apple")
    assert expanded(f"b{word}").startswith("b\ufeff")


def test_a_pattern_that_would_take_for_ever_is_refused() -> None:
    values = {"x": "a" * 10_000}
    with pytest.raises(ExpansionError, match="fewer"):
        expand("${x%*a*a*a*a*b}", values.get, ExpansionRules())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc", ("a", "b", "c")),
        ("a 'b  c' d", ("a", "b  c", "d")),
        ("a\\ b", ("a b",)),
        ("$two", ("x", "y")),
        ('"$two"', ("x y",)),
        ("cat <<  EOF", ("cat", "<<  EOF")),
        ("", ()),
    ],
)
def test_words_end_at_spaces_that_are_not_quoted(text: str, expected: tuple[str, ...]) -> None:
    assert expand_to_words(text, VALUES.get, ExpansionRules()) == expected
