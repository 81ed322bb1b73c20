from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.errors import (
    DockerfileError,
    InvalidArgumentsError,
    InvalidDirectiveError,
    InvalidFlagError,
    InvalidHeredocError,
    LineTooLongError,
    MissingStageError,
    UnknownFlagError,
)
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
        Heredoc("one", expands=True, chomps=False, content="1\n one\n"),
        Heredoc("two", expands=False, chomps=True, content="\t2\n"),
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


def test_an_unknown_instruction_is_a_limit() -> None:
    dockerfile = parse_dockerfile("FROM a\nFETCH b\n")
    assert dockerfile.limits == (Limit(2, "the instruction 'FETCH' is unknown"),)


def test_an_unknown_flag_is_a_limit_where_a_newer_frontend_may_know_it() -> None:
    dockerfile = parse_dockerfile("# syntax=docker/dockerfile:1\nFROM a\nCOPY --new=1 b c\n")
    assert dockerfile.limits == (Limit(3, "the flag '--new' of COPY is unknown"),)
    assert dockerfile.instructions[1].arguments == ("b", "c")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", MissingStageError, "The Dockerfile must have a FROM instruction."),
        ("# escape=x\nFROM a", InvalidDirectiveError, "Line 1 .* must set .* 'escape' to"),
        ("# check=a\n# check=b\nFROM a", InvalidDirectiveError, "Line 2 .* not set .* again"),
        (
            "FROM a\nCOPY --form=b c d",
            UnknownFlagError,
            "not use the flag '--form', which COPY does not have. Its flags: '--chmod', '--chown'",
        ),
        ("FROM a\nUSER --x b", UnknownFlagError, "USER takes no flags"),
        ("FROM a\nCOPY --from b c", InvalidFlagError, "give the flag '--from' a value"),
        ("FROM a\nCOPY --link=1 b c", InvalidFlagError, "to 'true' or 'false', not '1'"),
        ("FROM a\nCOPY --link --link b c", InvalidFlagError, "'--link' only once"),
        ("FROM a\nRUN --network=wifi b", InvalidFlagError, "one of 'default', 'none', 'host'"),
        ("FROM a\nRUN <<E\nb\n", InvalidHeredocError, "Line 2 .* with a line 'E'"),
        ("FROM a\nCOPY b <<E\nE\n", InvalidHeredocError, "heredoc as the destination"),
        ("FROM a b", InvalidArgumentsError, "'FROM image AS name'"),
        ("FROM a AS 1", InvalidArgumentsError, "begins with a letter .* not '1'"),
        ("FROM a\nCOPY b", InvalidArgumentsError, "a source and a destination"),
        ("FROM a\nCOPY [1]", InvalidArgumentsError, "only strings"),
        ("FROM a\nENV b", InvalidArgumentsError, "a name and a value"),
        ("FROM a\nENV b=c d", InvalidArgumentsError, "'d' has no '='"),
        ("FROM a\nARG =b", InvalidArgumentsError, "empty name in ARG"),
        ("FROM a\nSHELL sh", InvalidArgumentsError, "JSON form"),
        ("FROM a\nONBUILD FROM b", InvalidArgumentsError, "not have FROM as the trigger"),
        ("FROM a\nONBUILD ENV b", InvalidArgumentsError, "a name and a value"),
        ("FROM a\nONBUILD" + " ONBUILD" * 5000, InvalidArgumentsError, "not have ONBUILD"),
        ("FROM a\nUSER", InvalidArgumentsError, "USER exactly one argument"),
        ("FROM a\nVOLUME ['']\nVOLUME [\"\"]", InvalidArgumentsError, "Line 3"),
        ("FROM a\nHEALTHCHECK PING", InvalidArgumentsError, "'CMD' or 'NONE'"),
        ("FROM a\nRUN b\n" + "x" * 65536, LineTooLongError, "Line 3 .* at most 65535 bytes"),
    ],
)
def test_what_no_buildkit_builds_is_refused(
    text: str, error: type[DockerfileError], message: str
) -> None:
    with pytest.raises(error, match=message):
        parse_dockerfile(text)


def test_the_longest_line_is_read() -> None:
    assert arguments("FROM " + "a" * 65530) == [("a" * 65530,)]
