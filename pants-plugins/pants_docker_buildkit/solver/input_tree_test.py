from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.input_tree import MUTABLE_MARKER, ROOT, normalize_modes


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A tree as a Pants with the umask 002 would write it. The umask is put back."""
    before = os.umask(0o002)
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "outside").write_text("")
    (tmp_path / "tree" / "sub" / "plain").write_text("")
    (tmp_path / "tree" / "tool").write_text("")
    (tmp_path / "tree" / "tool").chmod(0o775)
    (tmp_path / "tree" / "link").symlink_to("../outside")
    yield tmp_path / "tree"
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_modes_are_those_of_a_plain_umask(tree: Path) -> None:
    normalize_modes(tree)
    assert (mode(tree), mode(tree / "sub")) == (0o755, 0o755)
    assert (mode(tree / "tool"), mode(tree / "sub" / "plain")) == (0o755, 0o644)


def test_what_a_link_leads_to_keeps_its_mode(tree: Path) -> None:
    normalize_modes(tree)
    assert mode(tree.parent / "outside") == 0o664


def test_nothing_is_touched_where_the_umask_is_plain(tree: Path) -> None:
    os.umask(0o022)
    normalize_modes(tree)
    assert mode(tree / "tool") == 0o775


def test_what_the_build_writes_later_has_a_plain_umask(tree: Path) -> None:
    normalize_modes(tree)
    (tree / "later").write_text("")
    assert mode(tree / "later") == 0o644


def test_the_marker_lies_in_an_ancestor_of_every_context() -> None:
    assert os.path.dirname(MUTABLE_MARKER) == ROOT
