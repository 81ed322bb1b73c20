"""What is kept of the root file system of a stage."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.artifact_patterns import (
    InvalidArtifactPathError,
    matches,
    parse_artifact_path,
    path_parts,
    unmatched_paths,
)
from pants_docker_buildkit.solver.artifacts import keep_artifacts
from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.errors import BuildFailedError

Keep = Callable[..., dict[str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system as that of a distribution, where `/bin` is a link."""
    root = tmp_path / "export"
    for path in ("usr/bin", "usr/lib", "share/a b/deep", "share/empty"):
        (root / path).mkdir(parents=True)
    for path in ("usr/bin/app", "usr/lib/libx.so.1", "share/a b/[1].txt", "share/a b/deep/.hidden"):
        (root / path).write_text(path)
    (root / "usr/bin/app").chmod(0o4711)
    (root / "bin").symlink_to("usr/bin")
    (root / "lib").symlink_to("/usr/lib")
    (root / "usr/lib/libx.so").symlink_to("libx.so.1")
    (root / "usr/bin/tool").symlink_to("/usr/bin/app")
    (root / "usr/bin/up").symlink_to("../../../../../etc/hostname")
    (root / "usr/bin/loop").symlink_to("loop")
    return root


@pytest.fixture
def keep(root: Path, tmp_path: Path) -> Keep:
    """What is kept, from its path to the text of a file, ` -> ` and that of a link, or `/`."""

    def kept(files: tuple[str, ...] = (), directories: tuple[str, ...] = ()) -> dict[str, str]:
        definition = BuildDefinition("", "", (), "files")
        definition = replace(definition, output_files=files, output_directories=directories)
        out = tmp_path / "out"
        keep_artifacts(definition, root, out)
        assert not root.exists()
        found: dict[str, str] = {}
        for directory, names, file_names in os.walk(out):
            for name in (*names, *file_names):
                path = Path(directory, name)
                shown = str(path.relative_to(out))
                if path.is_symlink():
                    found[shown] = f" -> {os.readlink(path)}"
                elif path.is_file():
                    found[shown] = path.read_text()
                elif not os.listdir(path):
                    found[shown] = "/"
        return found

    return kept


def test_a_file_has_the_path_by_which_it_was_named(keep: Keep, tmp_path: Path) -> None:
    assert keep(("bin/app", "lib/libx.so.1")) == {
        "bin/app": "usr/bin/app",
        "lib/libx.so.1": "usr/lib/libx.so.1",
    }
    assert (tmp_path / "out/bin/app").stat().st_mode & 0o7777 == 0o755


def test_a_link_is_followed_where_its_file_is_not_kept(keep: Keep) -> None:
    assert keep(("usr/lib/libx.so",)) == {"usr/lib/libx.so": "usr/lib/libx.so.1"}


def test_a_link_stays_one_where_its_file_is_kept(keep: Keep) -> None:
    assert keep(("usr/lib/libx.so", "usr/lib/libx.so.1", "usr/bin/app", "usr/bin/tool")) == {
        "usr/lib/libx.so": " -> libx.so.1",
        "usr/lib/libx.so.1": "usr/lib/libx.so.1",
        "usr/bin/app": "usr/bin/app",
        "usr/bin/tool": " -> app",
    }


def test_links_of_a_directory_never_lead_to_files_of_this_machine(keep: Keep) -> None:
    assert keep(directories=("usr/bin",)) == {
        "usr/bin/app": "usr/bin/app",
        "usr/bin/tool": " -> app",
        "usr/bin/up": " -> ../../etc/hostname",
        "usr/bin/loop": " -> loop",
    }


def test_a_directory_may_be_named_by_a_link(keep: Keep) -> None:
    assert keep(directories=("lib",)) == {
        "lib/libx.so": " -> ../usr/lib/libx.so.1",
        "lib/libx.so.1": "usr/lib/libx.so.1",
    }


def test_all_of_a_stage_is_named_by_a_dot(keep: Keep) -> None:
    found = keep(directories=(".",))
    assert found["bin"] == " -> usr/bin"
    assert found["lib"] == " -> usr/lib"
    assert found["share/empty"] == "/"
    assert found["share/a b/deep/.hidden"] == "share/a b/deep/.hidden"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("share/*/*.txt", ["share/a b/[1].txt"]),
        ("share/**", ["share/a b/[1].txt", "share/a b/deep/.hidden"]),
        ("**/.hid?en", ["share/a b/deep/.hidden"]),
        ("share/a b/[1].txt", ["share/a b/[1].txt"]),
        ("share/a b", []),
        ("bin/up", []),
        ("bin/loop", []),
        ("bin/app/x", []),
        ("nothing/*", []),
    ],
)
def test_patterns_mean_files(keep: Keep, pattern: str, found: list[str]) -> None:
    assert sorted(keep((pattern,))) == found


def test_an_empty_directory_is_kept(keep: Keep) -> None:
    assert keep(directories=("share/empty", "share/nothing", "usr/bin/app")) == {"share/empty": "/"}


def test_modes_of_directories_keep_nobody_out(keep: Keep, root: Path) -> None:
    (root / "share/a b/[1].txt").chmod(0o000)
    (root / "share/a b").chmod(0o000)
    assert keep(("share/a b/[1].txt",)) == {"share/a b/[1].txt": "share/a b/[1].txt"}


def test_what_pants_cannot_keep_is_refused(keep: Keep, root: Path) -> None:
    os.mkfifo(root / "share/pipe")
    with pytest.raises(BuildFailedError, match="'share/pipe' is neither a file nor"):
        keep(directories=("share",))


def test_a_name_that_is_no_text_is_refused(keep: Keep, root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root / "share") + b"/\xff")).touch()
    with pytest.raises(BuildFailedError, match=r"\\xff' is not UTF-8"):
        keep(directories=("share",))


@pytest.mark.parametrize("text", ["/bin/app", "..", "a/../../b", "", "../x"])
def test_paths_lie_in_the_stage(text: str) -> None:
    with pytest.raises(InvalidArtifactPathError):
        parse_artifact_path(text)


def test_paths_have_one_form() -> None:
    assert [parse_artifact_path(each) for each in ("./a//b/", "a/./c/../b", ".")] == [
        *("a/b", "a/b", ".")
    ]


@pytest.mark.parametrize(
    ("path", "pattern", "is_meant"),
    [
        ("a/b/c", "a/**", True),
        ("a", "a/**", True),
        ("a/b/c", "**/c", True),
        ("a/b/c", "a/*", False),
        ("a/b/c", "a/*/c", True),
        ("b", "a", False),
    ],
)
def test_a_pattern_means_a_whole_path(path: str, pattern: str, is_meant: bool) -> None:
    assert matches(path_parts(path), path_parts(pattern)) is is_meant


def test_what_is_missing_is_told_by_kind() -> None:
    found = (["a/b", "c"], ["a"])
    assert unmatched_paths(["a/*", "x", "a"], ["a", "c", "."], *found) == (["x", "a"], ["c"])
    assert unmatched_paths([], ["."], [], []) == ([], ["."])
