"""A session has a directory that is its user's alone, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from pants_docker_buildkit.session import directory as directory_module
from pants_docker_buildkit.session.directory import (
    CACHE_NAME,
    OTHER_CACHE_NAME,
    PROGRAM,
    UnusableDirectoryError,
    make_directory,
    remove_directory,
    scratch_directory,
    session_directory,
    write_private,
)

SOMEBODY = 12345


@pytest.fixture
def named_caches(tmp_path: Path) -> Path:
    return tmp_path / "named_caches"


@pytest.fixture
def root(named_caches: Path) -> Path:
    """What somebody made before."""
    root = named_caches / CACHE_NAME
    root.mkdir(parents=True)
    return root


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(named_caches: Path) -> UnusableDirectoryError:
    with pytest.raises(UnusableDirectoryError) as raised:
        make_directory(session_directory(named_caches))
    return raised.value


def test_the_directory_is_the_users_alone(named_caches: Path) -> None:
    directory = session_directory(named_caches)
    make_directory(directory)
    assert {mode(each) for each in (directory, directory.parent)} == {0o700}
    assert os.readlink(named_caches / OTHER_CACHE_NAME) == CACHE_NAME


def test_what_pants_made_with_the_usual_umask_is_closed_to_others(
    named_caches: Path, root: Path
) -> None:
    root.chmod(0o755)
    make_directory(session_directory(named_caches))
    assert mode(root) == 0o700


@pytest.mark.parametrize("wider", [0o777, 0o770, 0o1777])
def test_a_directory_that_others_may_write_to_is_refused(
    named_caches: Path, root: Path, wider: int
) -> None:
    root.chmod(wider)
    error = refusal(named_caches)
    assert error.path == root
    assert error.finding == f"others may write there (its mode is {wider:04o})"
    assert list(root.iterdir()) == []


def test_a_directory_of_somebody_else_is_refused(
    named_caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = root.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: SOMEBODY)
    error = refusal(named_caches)
    assert (error.path, error.finding) == (root, f"it belongs to the user with the ID {owner}")


def test_a_link_is_refused_wherever_it_leads(
    named_caches: Path, root: Path, tmp_path: Path
) -> None:
    root.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    root.symlink_to(elsewhere)
    error = refusal(named_caches)
    assert (error.path, error.finding) == (root, "it is a link")
    assert list(elsewhere.iterdir()) == []


def test_a_machine_may_get_another_name(
    named_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a laptop in another network does. `platform.node` would go on to give the first.
    session_directory(named_caches)
    renamed = os.uname_result((os.uname().sysname, "renamed", *os.uname()[2:]))
    monkeypatch.setattr(os, "uname", lambda: renamed)
    assert session_directory(named_caches).name.startswith("renamed-")


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_another_second_name_is_refused(
    named_caches: Path, root: Path, tmp_path: Path, kind: str
) -> None:
    root.chmod(0o700)
    other = named_caches / OTHER_CACHE_NAME
    if kind == "directory":
        other.mkdir()
    else:
        other.symlink_to(tmp_path)
    error = refusal(named_caches)
    assert (error.path, error.finding) == (other, f"it is not the link to '{CACHE_NAME}'")


def test_a_file_system_without_links_is_named_by_the_link(
    named_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: str, link: Path, *_: bool, **__: bool) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", target, None, link)

    monkeypatch.setattr(os, "symlink", refuse)
    error = refusal(named_caches)
    assert error.path == named_caches / OTHER_CACHE_NAME
    assert "on a file system with modes, links and sockets" in str(error)


def test_a_directory_that_cannot_be_made_is_named() -> None:
    # Nobody can make anything there, not even root.
    error = refusal(Path("/proc/self/named_caches"))
    assert error.path == Path("/proc/self/named_caches")
    assert error.finding == "No such file or directory"


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = refusal(tmp_path / "file")
    assert error.path == tmp_path / "file"


def test_scratch_directories_end_with_their_block_or_with_the_session(named_caches: Path) -> None:
    directory = session_directory(named_caches)
    make_directory(directory)
    with scratch_directory(directory) as first, scratch_directory(directory) as second:
        assert first != second
        assert mode(first) == 0o700
        assert first.is_absolute()
    assert not first.exists()
    left = scratch_directory(directory).__enter__()
    remove_directory(directory)
    assert not left.exists()


def test_nothing_stays_of_a_directory_in_which_a_process_still_writes(named_caches: Path) -> None:
    directory = session_directory(named_caches)
    make_directory(directory)
    for number in range(1000):
        (directory / "events" / f"earlier-{number}").touch()
    script = 'number=0; echo; while : >"$1/$number"; do number=$((number + 1)); done'
    events = str(directory / "events")
    with subprocess.Popen(
        ["sh", "-c", script, "sh", events], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        remove_directory(directory)
        writer.kill()
    assert list(directory.parent.iterdir()) == []


def test_what_was_being_removed_when_a_process_was_killed_is_removed(named_caches: Path) -> None:
    directory = session_directory(named_caches)
    make_directory(directory)
    killed = subprocess.Popen(["true"])
    killed.wait()
    name = directory.name.replace(str(os.getpid()), str(killed.pid))
    for each in (name, f"{name}.removed"):
        (directory.parent / each / "events").mkdir(parents=True)
    make_directory(directory)
    assert list(directory.parent.iterdir()) == [directory]


def test_a_file_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "file"
    write_private(path, b"old")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_private(path, b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_plugin_that_was_removed_is_named(
    named_caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "what was installed"
    monkeypatch.setattr(directory_module, "PACKAGE_ROOT", gone)
    directory = session_directory(named_caches)
    make_directory(directory)
    answer = subprocess.run(
        [str(directory / PROGRAM), "platforms"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert f"The plugin must stay at {gone} while Pants runs, but it is gone." in answer.stderr
