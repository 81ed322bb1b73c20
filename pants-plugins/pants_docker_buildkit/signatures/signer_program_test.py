from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.signatures.notes import note_path, write_note
from pants_docker_buildkit.signatures.signer_program import SignerProgram


def test_a_note_that_is_no_text_is_none(tmp_path: Path) -> None:
    program = SignerProgram(("signer",), {}, tmp_path)
    note = note_path(tmp_path, "signer", "signer")
    write_note(note, "application/x")
    assert program.noted_type == "application/x"
    note.write_bytes(b"\xff\xfe")
    assert program.noted_type == ""


@pytest.mark.parametrize("what", ["directory", "link"])
def test_a_note_that_is_no_file_is_none(tmp_path: Path, what: str) -> None:
    program = SignerProgram(("signer",), {}, tmp_path)
    note = note_path(tmp_path, "signer", "signer")
    if what == "directory":
        note.mkdir()
    else:
        note.symlink_to(tmp_path / "gone")
    assert program.noted_type == ""
