"""Does any text at all lead to something else than an analysis or a `DockerfileError`?"""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pants_docker_buildkit.dockerfile.errors import DockerfileError
from pants_docker_buildkit.dockerfile.expansion import (
    ExpansionError,
    ExpansionRules,
    expand,
    expand_to_words,
)
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

PLATFORM = ImagePlatform.parse("linux/amd64")

PIECES = st.sampled_from(
    [
        *("FROM", "ARG", "COPY", "ADD", "RUN", "ENV", "ONBUILD", "LABEL", "CMD", "HEALTHCHECK"),
        *("from a AS b", "FROM scratch", "FROM b", "--from=b", "--from=0", "--platform=$P"),
        *("--mount=type=bind,from=b", "--mount=type=secret,id=", '--mount="', "--link", "--"),
        *("# syntax=docker/dockerfile:1", "# escape=`", "#", "\\", "`", "\\\n", "\n", "\r\n"),
        *("<<EOF", "<<-E", "EOF", '<<"', "[", '["a"', "]", "$A", "${A", "}", ":-", "##", "//"),
        *(" ", "\t", "=", "'", '"', "*", "?", "\ufeff", "\x00", "\x85", "é", "x"),
    ]
)
DOCKERFILES = st.one_of(
    st.text(max_size=300),
    st.lists(PIECES, max_size=40).map("".join),
    st.lists(PIECES, max_size=40).map(lambda pieces: "FROM scratch AS b\n" + " ".join(pieces)),
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(DOCKERFILES)
def test_any_text_is_analysed_or_refused(text: str) -> None:
    try:
        dockerfile = parse_dockerfile(text)
        analysis = analyze(
            dockerfile, build_args={"P": "x"}, target_platform=PLATFORM, build_platform=PLATFORM
        )
    except DockerfileError as e:
        check_error(e, text)
    else:
        assert analysis.is_complete or all(limit.why for limit in analysis.limits)
        check_lines(dockerfile, text)


def check_error(error: DockerfileError, text: str) -> None:
    assert error.line is None or 1 <= error.line <= text.count("\n") + 1
    assert error.requirement


def check_lines(dockerfile: Dockerfile, text: str) -> None:
    last = 0
    for instruction in dockerfile.instructions:
        assert last < instruction.start_line <= instruction.end_line <= text.count("\n") + 1
        last = instruction.end_line


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    with contextlib.suppress(DockerfileError):
        parse_dockerfile(content)


@unhurried
@given(
    st.lists(st.sampled_from([*"${}:-+?#%/\\'\"<` aA*_é1", "${A", ":-"]), max_size=30).map("".join),
    st.sampled_from(["\\", "`"]),
    st.dictionaries(st.sampled_from("aA1_"), st.text(max_size=10)),
    st.booleans(),
)
def test_any_word_is_expanded_or_refused(
    word: str, escape: str, values: dict[str, str], keeps: bool
) -> None:
    rules = ExpansionRules(escape, keeps_quotes=keeps, keeps_escapes=keeps, keeps_unset=keeps)
    with contextlib.suppress(ExpansionError):
        assert expand(word, values.get, rules).matched <= set(values)
        expand_to_words(word, values.get, rules)


@unhurried
@given(st.text(alphabet=st.characters(blacklist_characters="$'\"\\", blacklist_categories=["Cs"])))
def test_a_word_without_special_characters_is_its_own_expansion(word: str) -> None:
    assert expand(word, lambda _: None, ExpansionRules()).text == word
