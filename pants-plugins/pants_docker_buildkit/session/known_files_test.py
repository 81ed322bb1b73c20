from __future__ import annotations

import os
from pathlib import Path

from pants_docker_buildkit.session.directory import write_private
from pants_docker_buildkit.session.known_files import KnownFiles


def test_a_file_is_read_once_as_long_as_it_is_the_same(tmp_path: Path) -> None:
    path, reads = tmp_path / "file", list[str]()

    def read(path: Path) -> str:
        reads.append(path.read_text() if path.exists() else "none")
        return reads[-1]

    files = KnownFiles()
    seen = list[str]()
    for text in ("", "a", "a", "b", ""):
        if text:
            write_private(path, text.encode())
        else:
            path.unlink(missing_ok=True)
        seen += [files.read(path, read), files.read(path, read)]
    assert seen == ["none", "none", "a", "a", "a", "a", "b", "b", "none", "none"]
    assert reads == ["none", "a", "a", "b", "none"]


def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path: Path) -> None:
    path, files = tmp_path / "file", KnownFiles()
    for text in ("a", "b"):
        write_private(path, text.encode())
        os.utime(path, ns=(1, 1))
        assert files.read(path, Path.read_text) == text


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path, files = tmp_path / "file", KnownFiles()
    write_private(path, b"a")

    def read(path: Path) -> str:
        text = path.read_text()
        write_private(path, b"b")
        return text

    assert files.read(path, read) == "a"
    assert files.read(path, Path.read_text) == "b"
