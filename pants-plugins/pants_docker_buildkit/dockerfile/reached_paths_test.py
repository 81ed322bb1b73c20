from __future__ import annotations

from dataclasses import replace

import pytest

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.dockerfile.parser import KnownBase, parse_dockerfile
from pants_docker_buildkit.dockerfile.reached_paths import reached_paths, select_reached
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform

AMD64 = ImagePlatform.parse("linux/amd64")


def paths_of(
    text: str, *, triggers: tuple[KnownBase, ...] = (), target_stage: str | None = None
) -> tuple[str, ...] | None:
    parsed = parse_dockerfile(text)
    analysis = analyze(
        replace(parsed, known_bases=triggers),
        build_args={"GIVEN": "given"},
        target_platform=AMD64,
        build_platform=AMD64,
        target_stage=target_stage,
        named_contexts=["other"],
    )
    return reached_paths([analysis])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("LABEL a=b", ()),
        ("COPY a ./b/../c/ /d/", ("a", "c")),
        ("COPY ../a /x", ("a",)),
        ("COPY src/*.txt [ab] /", ("[ab]", "src/*.txt")),
        ("COPY --parents src/./**/x /", ("src/**/x",)),
        ("COPY --exclude=*.md src /", ("src",)),
        ("ARG GIVEN\nCOPY $GIVEN/a /", ("given/a",)),
        ("ARG OWN=b\nENV OWN=c\nCOPY ${OWN}.txt /", ("c.txt",)),
        ("COPY <<E a /\ntext\nE", ("a",)),
        ("COPY --from=other a /\nRUN --mount=from=other,target=/m true", ()),
        ("RUN --mount=source=a/b,target=/m --mount=type=cache,target=/c true", ("a/b",)),
        ("RUN --mount=type=secret,id=s --mount=type=ssh true", ()),
        ("ADD https://h/a.tar https://h/a.git https://h/a.git#main /", ()),
        ("ADD git@h:a/b.git /", ("git@h:a/b.git",)),
        ("ADD git://h/a.git#main b /", ("b", "git:/h/a.git#main")),
        ('COPY ["é", "x y", "/"]', ("x y", "é")),
    ],
)
def test_reached_are_the_sources_of_steps_that_take_from_the_context(
    steps: str, expected: tuple[str, ...]
) -> None:
    assert paths_of(f"FROM scratch\n{steps}\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nCOPY . /\n",
        "FROM scratch\nCOPY a/.. /\n",
        "FROM scratch\nRUN --mount=target=/m true\n",
        "FROM scratch\nRUN --mount=type=tmpfs,target=/m true\n",
        "FROM base\nCOPY $OF_BASE /\n",
        "FROM base\nRUN --mount=source=$OF_BASE,target=/m true\n",
        "FROM base\nRUN --mount=type=new,target=/m true\n",
        "FROM scratch\nFETCH a /\n",
        "ARG SOURCE_DATE_EPOCH=context\nFROM scratch\nCOPY a /\n",
        "FROM scratch\nCOPY --from=$STAGE a /\n",
        "# syntax=someone/else\nFROM scratch\nCOPY a /\n",
        "FROM scratch\nCOPY a<b /\n",
        'FROM scratch\nCOPY ["a\\"b", "/"]\n',
        'FROM scratch\nCOPY ["a\\\\\\\\b", "/"]\n',
    ],
)
def test_the_whole_context_is_reached_where_not_everything_is_understood(text: str) -> None:
    assert paths_of(text) is None


def test_only_stages_count_that_are_reached() -> None:
    text = "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY b /\nFROM one\nCOPY c /\n"
    assert paths_of(text) == ("a", "c")
    assert paths_of(text, target_stage="two") == ("b",)


def test_what_a_base_triggers_counts_and_everything_where_it_is_not_known() -> None:
    text = "FROM base\nCOPY a /\n"
    copies = KnownBase("base", AMD64, ("COPY b /",))
    assert paths_of(text, triggers=(copies,)) == ("a", "b")
    assert paths_of(text, triggers=(KnownBase("base", AMD64, None),)) is None


FILES = ("a", "ab", "b/a", "b/c/a", "b/c/d.txt", "b.txt", "[x]", "é", "b\nc/a")


def select(*paths: str, links: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    entries: list[ContextEntry] = [FileEntry(path, "0" * 64, 1) for path in FILES]
    entries += [DirectoryEntry("empty/in"), *(SymlinkEntry(path, "a") for path in links)]
    selected = select_reached(entries, paths)
    return None if selected is None else tuple(each.path for each in selected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", ("a",)),
        ("b", ("b/a", "b/c/a", "b/c/d.txt")),
        ("b/c", ("b/c/a", "b/c/d.txt")),
        ("missing", ()),
        ("empty", ("empty/in",)),
        ("empty/in", ("empty/in",)),
        ("a*", ("a", "ab")),
        ("?", ("a", "ab", "b/a", "b/c/a", "b/c/d.txt", "b.txt", "[x]", "é", "b\nc/a", "empty/in")),
        ("*/a", ("b/a", "b\nc/a")),
        ("b/*/*.txt", ("b/c/d.txt",)),
        ("*.txt", ("b.txt",)),
        ("b/[c]/a", ("b/a", "b/c/a", "b/c/d.txt")),
        ("b[^x]a", (*FILES, "empty/in")),
        ("[b/].txt", (*FILES, "empty/in")),
        ("b/c[/]d.txt", ("b/a", "b/c/a", "b/c/d.txt")),
        ("**/a", (*FILES, "empty/in")),
        ("b/**/d.txt", ("b/a", "b/c/a", "b/c/d.txt")),
        ("b.t?t", ("b.txt",)),
    ],
)
def test_selected_is_what_lies_at_a_path_and_below(path: str, expected: tuple[str, ...]) -> None:
    assert select(path) == expected


@pytest.mark.parametrize("path", ["l", "l/a", "*", "?/a", "l*/x/y", "**/a"])
def test_everything_is_selected_where_a_link_may_lead_elsewhere(path: str) -> None:
    assert select(path, links=("l",)) is None


def test_a_link_below_a_path_is_one_of_the_files() -> None:
    assert select("b", links=("b/l", "other")) == ("b/a", "b/c/a", "b/c/d.txt", "b/l")
    assert select("b/*", links=("b/c/l", "l")) == ("b/a", "b/c/a", "b/c/d.txt", "b/c/l")
    assert select("b/**/a", links=("b/c/l",)) is None
