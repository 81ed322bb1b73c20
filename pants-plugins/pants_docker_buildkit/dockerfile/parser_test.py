from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.instruction import Flag, Heredoc, Instruction
from pants_docker_buildkit.dockerfile.limits import Limit
from pants_docker_buildkit.dockerfile.parser import parse_dockerfile


def parse(text: str) -> list[Instruction]:
    return list(parse_dockerfile(text).instructions)


def arguments(text: str) -> list[tuple[str, ...]]:
    return [instruction.arguments for instruction in parse(text)]


def test_an_instruction_knows_its_lines_and_its_text() -> None:
    first, second = parse("# hi\n\nfrom a \\\n  # no\n\n  AS b\nRun x \\\n")
    assert (first.keyword, first.start_line, first.end_line) == ("FROM", 3, 6)
    assert first.text == "from a   AS b"
    assert first.arguments == ("a", "AS", "b")
    assert (second.keyword, second.start_line, second.end_line) == ("RUN", 7, 7)


def test_bytes_with_a_byte_order_mark_and_carriage_returns_are_read() -> None:
    dockerfile = parse_dockerfile(b"\xef\xbb\xbf# escape=`\r\nFROM a `\r\n AS b\r\n")
    assert dockerfile.escape == "`"
    assert dockerfile.instructions[0].arguments == ("a", "AS", "b")


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert parse_dockerfile(b"FROM \xff\n").instructions[0].arguments == ("\ufffd",)


@pytest.mark.parametrize(
    ("line", "expected", "is_json"),
    [
        ('RUN ["a", "b c"]', ("a", "b c"), True),
        ('RUN [ "a" = b ]', ('[ "a" = b ]',), False),
        ("RUN  a   b ", ("a   b",), False),
        ("RUN", (), False),
        ("COPY a  b c/", ("a", "b", "c/"), False),
        ('COPY ["a b", "c"]', ("a b", "c"), True),
        ("ENV a b  c", ("a", "b  c"), False),
        ("ENV a=b 'c d'=e", ("a", "b", "'c d'", "e"), False),
        ("LABEL a=", ("a", ""), False),
        ("ARG a b='c d'", ("a", "b='c d'"), False),
        ("EXPOSE 1 2/udp", ("1", "2/udp"), False),
        ("HEALTHCHECK --retries=1 CMD a b", ("CMD", "a b"), False),
        ('HEALTHCHECK CMD ["a"]', ("CMD", "a"), True),
        ("ONBUILD  copy a b", ("copy a b",), False),
        ("WORKDIR /a b", ("/a b",), False),
    ],
)
def test_each_keyword_splits_in_its_own_way(
    line: str, expected: tuple[str, ...], is_json: bool
) -> None:
    instruction = parse(f"FROM a\n{line}\n")[1]
    assert (instruction.arguments, instruction.is_json) == (expected, is_json)


def test_flags_are_read() -> None:
    copy = parse("FROM a\nCOPY --from=b --link --exclude=x --exclude=y c d\n")[1]
    assert copy.flags[:2] == (Flag("from", "b"), Flag("link", None))
    assert copy.flag("from") == "b"
    assert copy.flag("chown") is None
    assert copy.flag_values("exclude") == ("x", "y")
    assert copy.is_enabled("link")
    assert not copy.is_enabled("parents")


def test_heredocs_end_at_their_name() -> None:
    copy = parse('FROM a\nCOPY <<one <<-"two" /x/\n1\n one\none\n\t2\n\ttwo\n')[1]
    assert copy.heredocs == (
        Heredoc("one", chomps=False, content="1\n one\n"),
        Heredoc("two", chomps=True, content="\t2\n"),
    )
    assert copy.end_line == 7


def test_a_trigger_keeps_its_heredoc() -> None:
    (trigger,) = parse("FROM a\nONBUILD RUN <<E\nx\nE\n")[1].arguments
    assert trigger == "RUN <<E\nx\nE"


def test_a_frontend_that_reads_no_dockerfiles_leaves_no_instructions() -> None:
    dockerfile = parse_dockerfile("# syntax=example.com/mine\nkind: app\n")
    assert dockerfile.instructions == ()
    why = "the frontend 'example.com/mine' is not one for Dockerfiles"
    assert dockerfile.limits == (Limit(1, why),)
    assert str(dockerfile.limits[0]) == f"line 1: {why}"


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("FROM a\nFETCH b\n", [(2, "the instruction 'FETCH' is unknown")]),
        ("FORM a\nCOPY b /\n", [(1, "the instruction 'FORM' is unknown")]),
        ("FROM a\nCOPY --new=1 b c\n", [(2, "the flag '--new' of COPY is unknown")]),
        ("# escape=x\nFROM a\n", [(1, "the parser directive 'escape' is 'x'")]),
        ("# check=a\n# check=b\nFROM a\n", [(2, "the parser directive 'check' appears again")]),
        ("FROM a\nRUN <<E\nb\n", [(2, "no line 'E' ends the heredoc")]),
        ("FROM\n", [(1, "FROM has too few arguments")]),
        ("FROM a\nCOPY b\n", [(2, "COPY has too few arguments")]),
        ("FROM a\nCOPY [1]\n", [(2, "its JSON form has not only strings")]),
        ("FROM a\nENV b\n", [(2, "'b' has no value")]),
        ("FROM a\nENV b=c d\n", [(2, "'d' has no '='")]),
        ("FROM a\nONBUILD RUN [1]\n", []),
        ("", []),
    ],
)
def test_what_cannot_be_read_is_a_limit_with_its_line(
    text: str, limits: list[tuple[int, str]]
) -> None:
    assert parse_dockerfile(text).limits == tuple(Limit(line, why) for line, why in limits)


def test_what_is_beside_an_unknown_flag_is_read() -> None:
    copy = parse("FROM a\nCOPY --new=1 --from=x b c\n")[1]
    assert (copy.flag("from"), copy.arguments) == ("x", ("b", "c"))


def test_a_long_line_is_read() -> None:
    assert arguments("FROM " + "a" * 70_000) == [("a" * 70_000,)]
