"""Does any text at all lead to something else than an analysis?"""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pants_docker_buildkit.dockerfile.context_entries import FileEntry
from pants_docker_buildkit.dockerfile.context_filter import select_context
from pants_docker_buildkit.dockerfile.expansion import (
    ExpansionError,
    ExpansionRules,
    expand,
    expand_to_words,
)
from pants_docker_buildkit.dockerfile.ignorefile import (
    IgnoreFileLineTooLongError,
    parse_ignore_file,
)
from pants_docker_buildkit.dockerfile.parser import Dockerfile, parse_dockerfile
from pants_docker_buildkit.dockerfile.patterns import InvalidPatternError, parse_patterns
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.testing.damage import Edit, damage

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

DOCKERFILE = b"""\
# syntax=docker/dockerfile:1
# escape=\\
ARG P=linux/amd64 BASE=a
FROM --platform=$P ${BASE:-b}:1 AS base
ENV A="x y" B=\\"
RUN --mount=type=bind,from=base,source=/a,target=/b --mount=type=secret,id=t <<EOF
cat /b
EOF
FROM scratch AS c
COPY --from=base --chown=1:1 ["a b", "/c/"]
COPY <<one <<-"two" /d/
1
one
\t2
\ttwo
ADD --checksum=sha256:0 https://a/b \\
  /e
ONBUILD RUN true
HEALTHCHECK --interval=1s CMD ["x"]
LABEL "a b"=c d='e'
"""
PARTS = [
    *(b"\\\n", b"<<EOF\n", b"EOF\n", b"FROM ", b" AS ", b"--from=", b"$", b"${", b"}", b"[", b'"'),
    *(
        b"'",
        b"\0",
        b"\xff",
        b"\r",
        b"# escape=`\n",
        b"ARG ",
        b"ONBUILD ",
        b"\xef\xbb\xbf",
        b" ",
        b"=",
    ),
]
DAMAGED = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 600), st.integers(0, 40), st.sampled_from(PARTS)),
    max_size=8,
).map(lambda edits: damage(DOCKERFILE, edits).decode("utf-8", "replace"))
IGNORE_FILE = b"# comment\n**/*.pyc\n!a/[b-d]?.txt\n/x/../y\n\\# no\n!  **\n[^a]*\n"
PATTERN_PARTS = [
    b"**",
    b"!",
    b"/",
    b"..",
    b"[",
    b"]",
    b"^",
    b"-",
    b"\\",
    b"?",
    b"\n",
    b"\xff",
    b"\t",
]

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(DOCKERFILES | DAMAGED)
def test_any_text_is_analysed(text: str) -> None:
    dockerfile = parse_dockerfile(text)
    analysis = analyze(
        dockerfile, build_args={"P": "x"}, target_platform=PLATFORM, build_platform=PLATFORM
    )
    last = text.count("\n") + 1
    assert all(limit.line is None or 1 <= limit.line <= last for limit in analysis.limits)
    assert analysis.target is not None or analysis.limits
    check_lines(dockerfile, text)


def check_lines(dockerfile: Dockerfile, text: str) -> None:
    last = 0
    for instruction in dockerfile.instructions:
        assert last < instruction.start_line <= instruction.end_line <= text.count("\n") + 1
        last = instruction.end_line


@unhurried
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.integers(0, 60),
            st.integers(0, 8),
            st.sampled_from(PATTERN_PARTS),
        ),
        max_size=8,
    ),
    st.lists(
        st.sampled_from(["a/bb.txt", "x/y", "y", "b.pyc", "a", "# no", "é/\udcff"]), max_size=4
    ),
)
def test_any_ignore_file_selects_or_is_refused(edits: list[Edit], paths: list[str]) -> None:
    entries = [FileEntry(path, "0" * 64, 1, is_executable=False) for path in sorted(set(paths))]
    with contextlib.suppress(InvalidPatternError, IgnoreFileLineTooLongError):
        patterns = parse_patterns(parse_ignore_file(damage(IGNORE_FILE, edits)))
        selected = select_context(entries, patterns)
        assert {each.path for each in selected if isinstance(each, FileEntry)} <= set(paths)


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(content: bytes) -> None:
    assert all(limit.why for limit in parse_dockerfile(content).limits)


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
@given(
    st.text(
        alphabet=st.characters(blacklist_characters="$'\"\\\ufeff", blacklist_categories=["Cs"])
    )
)
def test_a_word_without_special_characters_is_its_own_expansion(word: str) -> None:
    assert expand(word, lambda _: None, ExpansionRules()).text == word
