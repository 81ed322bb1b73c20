from __future__ import annotations

import threading
from pathlib import Path

from pants_docker_buildkit.session.progress_view import ProgressView


def test_whole_lines_are_shown_once(tmp_path: Path) -> None:
    file, shown = tmp_path / "progress.log", list[tuple[str, str]]()
    view = ProgressView(file, lambda *line: shown.append(line))
    view.update()
    assert shown == []
    file.write_text("b app:image one\nt app:image tw")
    view.update()
    assert shown == [("b", "app:image one")]
    with file.open("a") as more:
        more.write("o\n")
    view.update()
    view.update()
    assert shown == [("b", "app:image one"), ("t", "app:image two")]


def test_nothing_is_shown_where_a_file_is_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "caches").write_text("")
    ProgressView(tmp_path / "caches" / "session" / "progress.log", print).update()


def test_what_cannot_be_read_is_shown_later(tmp_path: Path) -> None:
    file, shown = tmp_path / "progress.log", list[tuple[str, str]]()
    view = ProgressView(file, lambda *line: shown.append(line))
    # Stands for any error of `open`.
    file.symlink_to(file)
    view.update()
    file.unlink()
    file.write_text("b app:image one\n")
    view.update()
    assert shown == [("b", "app:image one")]


def test_many_threads_show_all_in_order(tmp_path: Path) -> None:
    file, shown = tmp_path / "progress.log", list[str]()
    view = ProgressView(file, lambda _, text: shown.append(text))

    def write() -> None:
        for _ in range(50):
            with file.open("a") as more:
                more.write("b line\n")
            view.update()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert shown == ["line"] * 200
