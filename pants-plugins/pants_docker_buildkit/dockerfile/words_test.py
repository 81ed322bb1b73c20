from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.words import (
    MalformedArgumentsError,
    parse_json_strings,
    split_flags,
    split_keyword,
    split_quoted,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc ", ("a", "b", "c")),
        ("a='b c' d", ("a='b c'", "d")),
        ('a="b \\" c" d', ('a="b \\" c"', "d")),
        ("a\\ b", ("a\\ b",)),
        ("'a\\' b", ("'a\\'", "b")),
        ("a\\", ("a",)),
        ("\\", ()),
        ('""', ('""',)),
        ('"open end', ('"open end',)),
        ("a\u00a0b\x1cc", ("a", "b\x1cc")),
    ],
)
def test_quoted_words_keep_their_quotes(text: str, expected: tuple[str, ...]) -> None:
    assert split_quoted(text, "\\") == expected


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("a b", (), "a b"),
        ("--from=x a b", ("--from=x",), "a b"),
        ("  --a  --b=c d", ("--a", "--b=c"), "d"),
        ("--a='x y' b", ("--a=x y",), "b"),
        ('--a="x\\"y" b', ('--a=x"y',), "b"),
        ("--a=x\\ y b", ("--a=x y",), "b"),
        ("--a -- --b", ("--a",), "--b"),
        ("--a", ("--a",), ""),
        ("--", (), ""),
        ("'--a' b", (), "'--a' b"),
        ("-a b", (), "-a b"),
        ("--id=é grün", ("--id=Ã©",), "grün"),
    ],
)
def test_flags_come_first_and_lose_their_quotes(
    text: str, flags: tuple[str, ...], rest: str
) -> None:
    assert split_flags(text, "\\") == (flags, rest)


def test_the_keyword_is_the_first_word() -> None:
    assert split_keyword("  RUN \t a b ") == ("RUN", "a b")
    assert split_keyword("RUN") == ("RUN", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a", "b c"]', ("a", "b c")),
        (' [ "\\u00e9" ] ', ("é",)),
        ("[]", ()),
        ('["\\ud800"]', ("\ufffd",)),
    ],
)
def test_json_strings_are_read(text: str, expected: tuple[str, ...]) -> None:
    assert parse_json_strings(text) == expected


@pytest.mark.parametrize(
    "text", ['"a"', "[a]", '["a",]', '["a"] x', "['a']", "[NaN]", "[1e999]", '["a\tb"]', "{}", ""]
)
def test_what_is_no_json_array_is_a_shell_form(text: str) -> None:
    assert parse_json_strings(text) is None


@pytest.mark.parametrize("text", ["[1]", '["a", null]', '[["a"]]', "[" * 100_000])
def test_a_json_array_has_only_strings(text: str) -> None:
    with pytest.raises(MalformedArgumentsError):
        parse_json_strings(text)
