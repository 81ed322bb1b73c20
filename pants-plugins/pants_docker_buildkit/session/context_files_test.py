from __future__ import annotations

from pathlib import Path

from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    context_row,
    parse_row,
    read_contents,
    row_path,
    write_contents,
)
from pants_docker_buildkit.session.testing.context_rows import to_rows

A_DIRECTORY = ContextPath(DIRECTORY)


def test_contents_are_read_as_they_were_written_with_the_directories_they_lie_in(
    tmp_path: Path,
) -> None:
    contents = {
        "context": A_DIRECTORY,
        "context/ü \n": ContextPath(FILE, "a" * 64, 7),
        "context/a/b/run": ContextPath(PROGRAM, "b" * 64, 0),
        "contexts/x/link": ContextPath(LINK, "../a//b:c\n"),
    }
    write_contents(tmp_path / "permit", to_rows(contents))
    implied = dict.fromkeys(("context/a", "context/a/b", "contexts", "contexts/x"), A_DIRECTORY)
    rows = read_contents(tmp_path / "permit")
    assert dict(map(parse_row, rows)) == {**contents, **implied}
    assert len(rows) == len(contents) + len(implied)


def test_a_permit_may_be_of_nothing(tmp_path: Path) -> None:
    write_contents(tmp_path / "permit", ())
    assert read_contents(tmp_path / "permit") == []


def test_files_have_a_content() -> None:
    kinds = (FILE, PROGRAM, LINK, DIRECTORY)
    assert [ContextPath(kind).is_file for kind in kinds] == [True, True, False, False]


def test_a_row_says_which_path_it_is_of_and_what_lies_there() -> None:
    row = context_row("a:b", LINK, "x//directory:0:")
    assert row_path(row) == "a:b"
    assert parse_row(row) == ("a:b", ContextPath(LINK, "x//directory:0:"))
