from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pants.engine.console import Console

from pants_docker_buildkit.errors import InvalidOptionError
from pants_docker_buildkit.goals.printed_output import print_output


def output_to(path: Path | None) -> Any:
    return cast(Any, SimpleNamespace(output_file=None if path is None else str(path)))


def console() -> tuple[Console, io.StringIO]:
    stdout = io.StringIO()
    return Console(stdout=stdout, stderr=io.StringIO(), use_colors=False), stdout


def test_without_a_file_it_goes_to_standard_output() -> None:
    given, stdout = console()
    print_output(output_to(None), given, "größe\n", "plan-images")
    assert stdout.getvalue() == "größe\n"


def test_directories_of_the_file_are_made(tmp_path: Path) -> None:
    given, stdout = console()
    for text in ("longer\n", "größe\n"):
        print_output(output_to(tmp_path / "a" / "b.md"), given, text, "plan-images")
    assert (tmp_path / "a" / "b.md").read_text(encoding="utf-8") == "größe\n"
    assert stdout.getvalue() == ""


@pytest.mark.parametrize("path", ["directory", "file/plan.md"])
def test_a_file_that_cannot_be_written_is_an_error_that_names_the_option(
    tmp_path: Path, path: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOptionError) as e:
        print_output(output_to(tmp_path / path), console()[0], "text", "list-images")
    said = "The option `[list-images].output_file` must name a file that can be written, but"
    assert str(e.value).startswith(said)
    assert str(tmp_path) in str(e.value)
