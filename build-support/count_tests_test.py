from __future__ import annotations

from pathlib import Path

from count_tests import count_tests


def write_report(folder: Path, name: str, counts: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"<testsuites><testsuite {counts}></testsuite></testsuites>")


def test_reports_are_summed_and_errors_count_as_failures(tmp_path: Path) -> None:
    write_report(tmp_path, "a.xml", 'tests="5" failures="1" errors="1" skipped="0"')
    write_report(tmp_path / "b", "b.xml", 'tests="4" failures="0" errors="0" skipped="2"')
    assert count_tests(tmp_path) == "5 passed, 2 failed, 2 skipped"


def test_no_reports_are_no_passed_tests(tmp_path: Path) -> None:
    assert count_tests(tmp_path) == "0 passed, 0 failed, 0 skipped"
