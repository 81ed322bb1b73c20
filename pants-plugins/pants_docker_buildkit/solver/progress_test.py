from __future__ import annotations

from pathlib import Path

from pants_docker_buildkit.solver.profile import PROGRESS_FILE
from pants_docker_buildkit.solver.progress import Progress, tell

LINES = [b"#1 [internal] load\n", b"\n", b"#1 DONE \xff 0.1s\n"]


def test_all_of_the_output_is_kept_for_a_failure() -> None:
    output = Progress("src/app:image", None).follow(LINES)
    assert output == "#1 [internal] load\n\n#1 DONE � 0.1s\n"


def test_credentials_of_urls_are_left_out(tmp_path: Path) -> None:
    shown = tmp_path / "progress"
    output = Progress("a", shown).follow([b"#1 https://me:s3cret@git.example/a.git\n"])
    assert output == "#1 https://***@git.example/a.git\n"
    assert shown.read_text() == f"a {output}"


def test_each_line_is_shown_with_its_target_and_empty_ones_are_not(tmp_path: Path) -> None:
    shown = tmp_path / "progress"
    Progress("src/app:image", shown).follow(LINES)
    assert shown.read_text() == "src/app:image #1 [internal] load\nsrc/app:image #1 DONE � 0.1s\n"


def test_several_builds_show_their_lines_in_one_file(tmp_path: Path) -> None:
    shown = tmp_path / "progress"
    Progress("a", shown).follow([b"1\n"])
    Progress("b", shown).follow([b"2\n"])
    assert shown.read_text() == "a 1\nb 2\n"


def test_a_line_for_the_user_is_shown_in_any_case(tmp_path: Path) -> None:
    tell(tmp_path, "Booting builder ci (remote)…")
    tell(tmp_path, "Done.")
    assert (tmp_path / PROGRESS_FILE).read_text() == "Booting builder ci (remote)…\nDone.\n"
