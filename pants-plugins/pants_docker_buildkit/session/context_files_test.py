from __future__ import annotations

from pathlib import Path

from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    read_contents,
    write_contents,
)

A_DIRECTORY = ContextPath(DIRECTORY)


def test_contents_are_read_as_they_were_written_with_the_directories_they_lie_in(
    tmp_path: Path,
) -> None:
    contents = {
        "context": A_DIRECTORY,
        "context/ü \n": ContextPath(FILE, "a" * 64, 7),
        "context/a/b/run": ContextPath(PROGRAM, "b" * 64, 0),
        "contexts/x/link": ContextPath(LINK, "../a"),
    }
    write_contents(tmp_path / "permit", contents)
    implied = dict.fromkeys(("context/a", "context/a/b", "contexts", "contexts/x"), A_DIRECTORY)
    assert read_contents(tmp_path / "permit") == {**contents, **implied}


def test_a_permit_may_be_of_nothing(tmp_path: Path) -> None:
    write_contents(tmp_path / "permit", {})
    assert read_contents(tmp_path / "permit") == {}


def test_files_have_a_content() -> None:
    kinds = (FILE, PROGRAM, LINK, DIRECTORY)
    assert [ContextPath(kind).is_file for kind in kinds] == [True, True, False, False]
